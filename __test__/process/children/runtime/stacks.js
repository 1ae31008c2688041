// stacks.js <file> [busy]: makes calls that fail, and prints which of their stacks do not lead to the
// function that made them; then an unawaited call fails, which ends the process. `busy`: after so many calls
// that frames are noted seldom.
import { Kv } from "@buntime/keyval"
import { plant } from "../../../../dist/testing.js"
import { printJson } from "../lines.js"

const [file, busy] = process.argv.slice(2)
const kv = new Kv(file)
await kv.set(["text"], "a")
await kv.createIndex(["u"], { on: ["e"], unique: true })
await kv.set(["u", 1], { e: 1 })
await plant(kv, ["planted"], '{"a":{"__type":"bigint","value":"no"}}')
await kv.consumer("held").read()
await kv.consumer("prefix", { prefix: ["one"] }).read()
await kv.changes.trim(1)
if (busy) for (let n = 0; n < 300; n++) await Promise.all([kv.get(["n"]), kv.set(["n"], n)])

/** Gives it in another turn of the event loop, where nothing of the call is on the stack any more. */
async function later(value) {
  await new Promise(setImmediate)
  return { value }
}
const schema = { "~standard": { version: 1, vendor: "test", validate: later } }
const refusal = { issues: [{ message: "no" }] }
const refusing = {
  "~standard": { version: 1, vendor: "test", validate: async () => (await later(refusal)).value },
}
const withoutLog = new Kv(":memory:", { changeLog: "off" })

/** Entries, the second of them bad. */
async function* badEntries() {
  yield { key: ["entries"], value: 1 }
  yield { key: [{}], value: 1 }
}

/** To these nothing but the noted frames leads. */
const noted = {
  "an atomic without commit": async () => {
    await kv.atomic().set(["a"], 1)
  },
  "transaction that reads first: CONFLICT": () =>
    kv.transaction(async (tx) => {
      await later(await tx.get(["n"]))
      tx.set(["u", 2], { e: 1 })
    }),
  "set of a collection with a schema: CONFLICT": () => kv.collection(["u"], schema).set(2, { e: 1 }),
  "set of a collection whose schema refuses": () => kv.collection(["u"], refusing).set(2, 1),
  "parse of a collection whose schema refuses": () => kv.collection(["u"], refusing).parse(1),
  "a feed without a log": async () => {
    for await (const _ of withoutLog.changes());
  },
  "a feed from what is trimmed": async () => {
    for await (const _ of kv.changes({ from: 1 }));
  },
  "a loop of a consumer without a log": async () => {
    for await (const _ of withoutLog.consumer("loop"));
  },
  "read of a consumer without a log": () => withoutLog.consumer("read").read(),
  "read of a consumer: BUSY": () => kv.consumer("held").read(),
  "read of a consumer: another prefix": () => kv.consumer("prefix", { prefix: ["other"] }).read(),
  "setMany of entries that come later": () => kv.setMany(badEntries()),
}

const tries = {
  ...(busy ? {} : noted),
  "get of a bad key": () => kv.get(["a", undefined]),
  "get of a long key": () => kv.get(["x".repeat(100_000)]),
  "getMany of a bad key": () => kv.getMany([["a", null]]),
  "getMany of what cannot be read": () => kv.getMany([["planted"]]),
  "set of a bad key": () => kv.set(["a", {}], 1),
  "set of a bad value": () => kv.set(["a"], () => {}),
  "setMany of a bad value": () => kv.setMany([{ key: ["a"], value: () => {} }]),
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
  "a search without an index": async () => {
    for await (const _ of kv.search(["none"], "x"));
  },
  "setMany of a bad key": () => kv.setMany([{ key: ["a", {}], value: 1 }]),
  "setMany of many, the last one bad": () =>
    kv.setMany(Array.from({ length: 3000 }, (_, at) => ({ key: ["many", at === 2999 ? {} : at], value: 1 }))),
  "transaction: CONFLICT": () => kv.transaction((tx) => void tx.set(["u", 2], { e: 1 })),
  "transaction: a bad key": () => kv.transaction((tx) => tx.get([{}])),
  "a collection's set: CONFLICT": () => kv.collection(["u"]).set(2, { e: 1 }),
  "a collection's set of a bad key": () => kv.collection(["u"]).set({}, 1),
  "removeIndex: a bad prefix": () => kv.removeIndex([{}]),
  "explain of a bad filter": () => kv.explain(["u"], { a: { $regex: "x" } }),
  "queueStats of a bad queue": () => kv.queueStats(5),
  "backup over itself": () => kv.backup("/"),
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
    if (
      !error.stack.includes("children/runtime/stacks.js") ||
      !error.stack.startsWith(`KvError: ${error.message}`)
    )
      lost.push(`${name}: ${error.stack}`)
  }
}

/** Calls that nobody awaits, as soon as they have failed. */
const unawaited = {
  set: () => kv.set(["u", 2], { e: 1 }),
  transaction: () => kv.transaction((tx) => void tx.set(["u", 2], { e: 1 })),
  "transaction that reads first": noted["transaction that reads first: CONFLICT"],
  "set of a collection with a schema": noted["set of a collection with a schema: CONFLICT"],
  "collection's set": () => kv.collection(["u"]).set(2, { e: 1 }),
  commit: () => kv.atomic().set(["u", 2], { e: 1 }).commit(),
  setMany: () => kv.setMany([{ key: ["u", 2], value: { e: 1 } }]),
  "setMany of entries that come later": noted["setMany of entries that come later"],
  "set of a collection whose schema refuses": noted["set of a collection whose schema refuses"],
  "parse of a collection whose schema refuses": noted["parse of a collection whose schema refuses"],
  "read of a consumer: BUSY": noted["read of a consumer: BUSY"],
}
const isBun = "bun" in process.versions
// In Bun frames are noted for every write.
for (const [name, call] of busy && !isBun ? [] : Object.entries(unawaited)) {
  const failed = new Promise((resolve) => process.once("unhandledRejection", resolve))
  void call()
  const { stack } = await failed
  if (!stack.includes("children/runtime/stacks.js")) lost.push(`unawaited ${name}: ${stack}`)
}

/** Calls that nobody awaits, while others read without a pause. */
let isReading = !busy
const reading = (async () => {
  while (isReading) await kv.get(["text"])
})()
for (let times = 0; times < (busy ? 0 : 5); times++) {
  for (let n = 0; n < 500; n++) await kv.get(["text"])
  const failed = new Promise((resolve) => process.once("unhandledRejection", resolve))
  void kv.set(["u", 2], { e: 1 })
  const { stack } = await failed
  if (!stack.includes("children/runtime/stacks.js")) lost.push(`beside reads ${times}: ${stack}`)
}
isReading = false
await reading

/** Many calls in one tick that nobody awaits, several times: frames of one lead to all of them. */
for (let times = 0; times < 10; times++) {
  const failures = []
  const all = new Promise((resolve) => {
    process.on("unhandledRejection", (error) => failures.push(error) === 100 && resolve())
  })
  for (let n = 0; n < 100; n++) void kv.set(["u", 2], { e: 1 })
  await all
  process.removeAllListeners("unhandledRejection")
  const without = failures.filter(({ stack }) => !stack.includes("children/runtime/stacks.js"))
  if (without.length > 0) lost.push(`burst ${times}: ${without.length} of 100, ${without[0].stack}`)
}

/**
 * Beside many others of its tick, a call that is awaited leads to what awaits it, not to one of the others.
 */
function theNeighbour() {
  return Array.from({ length: 20 }, () => kv.set(["u", 2], { e: 1 }).catch(() => {}))
}
async function besideNeighbours() {
  await kv.set(["u", 2], { e: 1 })
}
for (let times = 0; times < 10; times++) {
  const neighbours = theNeighbour()
  const { stack } = await besideNeighbours().catch((error) => error)
  await Promise.all(neighbours)
  if (!stack.includes("besideNeighbours") || stack.includes("theNeighbour"))
    lost.push(`beside neighbours ${times}: ${stack}`)
}
printJson(lost)
// By now the calls above have used up the notes; a call gets one again 10 ms later at the latest.
await new Promise((resolve) => setTimeout(resolve, 100))
void kv.set(["u", 2], { e: 1 })
