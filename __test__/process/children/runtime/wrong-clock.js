// wrong-clock.js <file>: one of each call that asks for the time or makes an id.
import { Kv } from "@buntime/keyval"
import { print } from "../lines.js"

const kv = new Kv(process.argv[2])
await kv.set(["a"], kv.now(), { expiresIn: "1h" })
await kv.set(["b", kv.uuidv7()], kv.uuidv7())
await kv.get(["a"])
await kv.enqueue(1)
await new Promise((handled) => kv.listenQueue(handled))
await kv.lock("l")
await kv.consumer("c").read()
await kv.backup(`${process.argv[2]}.copy`)
await kv.close()
print("every call was answered")
