// write-one.js <file> <value>: sets ["a"], as another process.
import { Kv } from "@buntime/keyval"

const [, , file, value] = process.argv
const kv = new Kv(file)
await kv.set(["a"], Number(value))
await kv.close()
