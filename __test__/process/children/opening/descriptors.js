// descriptors.js <folder>: opens stores until no file descriptor is left; prints JSON of what was said.
import { join } from "node:path"
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

const [folder] = process.argv.slice(2)
const summary = ({ code, retryable, message }) => ({ code, retryable, message })

const kvs = []
let refused
for (let at = 0; refused === undefined; at++) {
  try {
    const kv = new Kv(join(folder, `${at}.db`))
    kvs.push(kv)
    await kv.set(["a"], 1)
  } catch (error) {
    refused = summary(error)
  }
}
// The last one may lack a connection that its first write would have opened.
const broken = kvs.pop()

// Some calls need another connection, the others none.
const calls = []
for (const kv of kvs) {
  await kv.set(["b"], 1)
  await kv.get(["a"])
  await kv.count([]).catch((error) => calls.push(summary(error)))
  await kv.backup(join(folder, "copy.db")).catch((error) => calls.push(summary(error)))
}

await broken.close()
await Promise.all(kvs.splice(0, 5).map((kv) => kv.close()))
const counts = []
for (const kv of kvs) {
  counts.push(await kv.count([]))
  await kv.close()
}
const kv = new Kv(join(folder, "again.db"))
await kv.set(["a"], 1)
printJson({ refused, calls, counts, again: (await kv.get(["a"])).value })
