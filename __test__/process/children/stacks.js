// stacks.js <file> [busy]: makes calls that fail, and prints which of their stacks do not lead to the function that made them; then
// an unawaited call fails, which ends the process. `busy`: after so many calls that frames are noted seldom.
import { Kv } from "@buntime/keyval"
import { plant } from "../../../dist/testing.js"
import { printJson } from "./lines.js"

const [file, busy] = process.argv.slice(2)
const kv = new Kv(file)
await kv.set(["text"], "a")
await kv.createIndex(["u"], { on: ["e"], unique: true })
await kv.set(["u", 1], { e: 1 })
await plant(kv, ["planted"], '{"a":{"__type":"bigint","value":"no"}}')
if (busy) for (let n = 0; n < 300; n++) await Promise.all([kv.get(["n"]), kv.set(["n"], n)])

const tries = {
  "get of a bad key": () => kv.get(["a", undefined]),
  "get of a long key": () => kv.get(["x".repeat(100_000)]),
  "getMany of a bad key": () => kv.getMany([["a", null]]),
  "getMany of what cannot be read": () => kv.getMany([["planted"]]),
  "set of a bad key": () => kv.set(["a", {}], 1),
  "set of a bad value": () => kv.set(["a"], () => {}),
  "set with a bad ttl": () => kv.set(["a"], 1, { expiresIn: "soon" }),
  "set: CONFLICT": () => kv.set(["u", 2], { e: 1 }),
  "setMany: CONFLICT": () => kv.setMany([{ key: ["u", 2], value: { e: 1 } }]),
  "commit: TYPE_MISMATCH": () => kv.atomic().sum(["text"], 1).commit(),
  "patch: CONFLICT": () => kv.patch(["u", 2], { e: 1 }),
  "transaction: TYPE_MISMATCH": () => kv.transaction((tx) => void tx.sum(["text"], 1)),
  "count of a bad key": () => kv.count(["a", undefined]),
  "paginate: bad cursor": () => kv.paginate(["a"], { cursor: "zz" }),
  "a list of what cannot be read": async () => {
    for await (const _ of kv.list({ prefix: [] }));
  },
  "enqueue: bad delay": () => kv.enqueue(1, { delay: "soon" }),
  "lock: bad duration": () => kv.lock("l", { duration: "soon" }),
  "consumer: nothing was read": () => kv.consumer("c").commit(1),
  "dlq: bad id": () => kv.dlq.get(5),
  "createIndex: CONFLICT": async () => {
    await kv.setMany([1, 2].map((n) => ({ key: ["two", n], value: { e: 1 } })))
    await kv.createIndex(["two"], { on: ["e"], unique: true })
  },
}

const lost = []
for (const [name, call] of Object.entries(tries)) {
  async function theCaller() {
    await call()
  }
  try {
    await theCaller()
    lost.push(`${name}: no error`)
  } catch (error) {
    if (!error.stack.includes("stacks.js") || !error.stack.startsWith(`KvError: ${error.message}`))
      lost.push(`${name}: ${error.stack}`)
  }
}
printJson(lost)
void kv.set(["u", 2], { e: 1 })
