// file-moved.js <folder> <other folder>: opens a file by a relative path and goes to another folder before it
// lists; then the file is moved away. Prints what was listed and counted, what lies in the other folder, and
// the error.
import { readdirSync, renameSync } from "node:fs"
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

const [, , folder, other] = process.argv
process.chdir(folder)
const kv = new Kv("./relative.db")
await kv.set(["a"], 1)
process.chdir(other)
const listed = []
for await (const { key } of kv.list({ prefix: [] })) listed.push(key)
const count = await kv.count({ prefix: [] })
await kv.close()

process.chdir(folder)
const moved = new Kv("./relative.db")
renameSync("relative.db", "moved.db")
const error = await moved.count({ prefix: [] }).catch(({ code, message }) => ({ code, message }))
await moved.close()
printJson({ listed, count, created: readdirSync(other), error })
