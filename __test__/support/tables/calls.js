// Every method of the contract, with arguments that it takes: what must hold of every call is tested over
// this table.
import { rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * @typedef {object} Call
 * @property {string} type the type of `index.d.ts` that has the method; of what `kv.lock` is called itself,
 * `KvLocks`
 * @property {string} name
 * @property {unknown[]} args valid arguments before its options
 * @property {object} [options] valid options; a call without them takes none
 * @property {(kv, fn: (object, ...args) => unknown) => unknown} [on] calls `fn` with the object that has the
 * method
 */

const nothing = () => {}
const filter = { n: { $gte: 0 } }
const schema = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } }

const onKv = (kv, fn) => fn(kv)
function onAtomic(kv, fn) {
  const builder = kv.atomic()
  const given = fn(builder)
  return given === builder ? builder.commit() : given
}
const onCollection = (kv, fn) => fn(kv.collection(["d"], schema))

/** What the function of a transaction throws ends it. */
function onTransaction(kv, fn) {
  return kv.transaction(async (tx) => {
    await fn(tx)
  })
}

async function onConsumer(kv, fn) {
  const consumer = kv.consumer("held")
  await consumer.read()
  try {
    return await fn(consumer)
  } finally {
    await consumer.release()
  }
}

async function onLock(kv, fn) {
  const lock = await kv.lock("held")
  try {
    return await fn(lock)
  } finally {
    await lock.release()
  }
}

const calls = (type, on, rows) =>
  Object.entries(rows).map(([name, [args, options]]) => ({ type, name, args, options, on }))

const expiring = { expiresIn: "1h" }
const mutations = {
  set: [[["d", 9], { n: 9 }], expiring],
  sum: [[["sum"], 1n], expiring],
  max: [[["max"], 1n], expiring],
  min: [[["min"], 1n], expiring],
  append: [[["list"], [1, { a: [2] }]], expiring],
  prepend: [[["list"], [{ a: [2] }, 1]], expiring],
  patch: [[["d", 1], { m: { a: [1] } }], expiring],
  enqueue: [
    [{ a: [1] }],
    {
      delay: "1h",
      backoffSchedule: [1],
      keysIfUndelivered: [["dead", 1]],
      queue: "other",
      orderingKey: "o",
      deadLetter: false,
    },
  ],
}

const copyPath = join(tmpdir(), `keyval-calls-${process.pid}.db`)

/** @type {Call[]} */
export const CALLS = [
  ...calls("Kv", onKv, {
    get: [[["d", 1]], { consistency: "strong" }],
    getMany: [
      [
        [
          ["d", 1],
          ["d", 2],
        ],
      ],
      { consistency: "strong", keysOnly: true },
    ],
    getSync: [[["d", 1]]],
    getManySync: [
      [
        [
          ["d", 1],
          ["d", 2],
        ],
      ],
      { keysOnly: true },
    ],
    children: [[["d"]], { limit: 2, after: 1, counts: true }],
    list: [[{ prefix: ["d"] }], { limit: 2, start: ["d", 1], where: filter, batchSize: 1 }],
    paginate: [[{ prefix: ["d"], end: ["d", 3] }], { limit: 1, where: filter }],
    count: [[["d"]], { where: filter }],
    set: mutations.set,
    setMany: [[[{ key: ["d", 8], value: { n: 8 }, expiresIn: "1h" }]], { onProgress: nothing }],
    delete: [
      [
        [
          ["d", 1],
          ["d", 2],
        ],
      ],
      { exact: true, where: filter },
    ],
    touch: [[["d", 1], expiring]],
    search: [[["d"], "word"], { limit: 1, where: filter }],
    createIndex: [[["made"], { on: ["a", "b"], unique: true }]],
    listIndexes: [[]],
    removeIndex: [[["d"], "n"]],
    explain: [[{ prefix: ["d"] }, filter]],
    patch: [[["d", 1], { m: [1] }], { expiresIn: "1h" }],
    collection: [[["d"], schema]],
    atomic: [[]],
    transaction: [[nothing], { maxRetries: 1, retryDelay: 1 }],
    watch: [[[["d", 1]], nothing], { exact: true, emitInitial: false }],
    consumer: [["c"], { prefix: ["d"], lease: "1m" }],
    enqueue: mutations.enqueue,
    listenQueue: [[nothing], { queue: "idle", concurrency: 2, autoAck: true, lockDuration: "1m" }],
    ackMessage: [["held"]],
    nackMessage: [["held"], { error: new Error("no") }],
    queueStats: [["other"]],
    commitVersionstamp: [[]],
    uuidv7: [[]],
    now: [[]],
    backup: [[copyPath], { overwrite: true }],
    metrics: [["json"]],
    info: [[]],
  }),
  ...calls("KvAtomic", onAtomic, { ...mutations, delete: [[{ prefix: ["d"] }]], commit: [[]] }),
  ...calls("KvTransaction", onTransaction, {
    ...mutations,
    get: [[["d", 1]]],
    getMany: [[[["d", 1]]]],
    delete: [[["d", 1]]],
  }),
  ...calls("KvChanges", (kv, fn) => fn(kv), { changes: [[], { from: 1, prefix: ["d"], limit: 1 }] }),
  ...calls("KvChanges", (kv, fn) => fn(kv.changes), { head: [[]], trim: [[0]] }),
  ...calls("KvConsumer", onConsumer, {
    read: [[1]],
    commit: [[1]],
    status: [[]],
    release: [[]],
    delete: [[]],
  }),
  ...calls("KvDeadLetters", (kv, fn) => fn(kv.dlq), {
    list: [[], { limit: 1, offset: 0, queue: "other" }],
    get: [["x"]],
    requeue: [["x"]],
    delete: [["x"]],
    purge: [[], { queue: "other" }],
  }),
  ...calls("KvLocks", (kv, fn) => fn(kv), { lock: [["new"], { duration: "1m", owner: "me" }] }),
  ...calls("KvLocks", (kv, fn) => fn(kv.lock), { status: [["held"]] }),
  ...calls("KvLock", onLock, { release: [[]] }),
  ...calls("KvCollection", onCollection, {
    key: [[["x", 1]]],
    get: [[[1]]],
    getMany: [[[1, [2]]]],
    getSync: [[1]],
    getManySync: [[[1, [2]]]],
    set: [[7, { n: 7 }], expiring],
    delete: [[1]],
    list: [[], { limit: 1, start: ["d", 1] }],
    where: [[filter], { limit: 1 }],
    count: [[filter]],
    parse: [[{ n: 1 }]],
  }),
  ...calls("KvNow", (kv, fn) => fn(kv.now()), { add: [["1h"]], sub: [["1h"]] }),
]

/** Calls that take as many arguments of one kind as there are, or that are passed on as callbacks. */
export const OTHERS = {
  KvAtomic: ["check", "mutate", "then"],
  KvTransaction: ["check"],
  Kv: ["close"],
  KvNow: ["valueOf", "toJSON"],
}

/**
 * Calls a method and waits for it; what goes on until it is stopped is stopped, and an iterator is read to
 * its end.
 */
export async function perform(kv, { name, on }, args) {
  const called = on(kv, (object) => object[name](...args))
  if (name === "atomic") return // A builder is not to be awaited.
  const given = await called
  if (typeof given?.stop === "function") {
    given.stop()
    await given.finished
  } else if (given?.[Symbol.asyncIterator] && name !== "consumer") for await (const _ of given);
  if (name === "backup") for (const end of ["", "-wal", "-shm"]) rmSync(copyPath + end, { force: true })
}

/** What the calls work on. */
export async function seed(kv) {
  await kv.delete({ prefix: [] })
  for (const { prefix, name } of await kv.listIndexes()) await kv.removeIndex(prefix, name)
  for (let n = 1; n <= 3; n++) await kv.set(["d", n], { n, text: `word ${n}` })
  await kv.set(["list"], [0])
  await kv.createIndex(["d"], { fields: ["text"] })
  await kv.createIndex(["d"], { on: ["n"] })
}

/** What a call makes of the seed, without what is new each time. */
export async function outcome(kv, call, args) {
  await seed(kv)
  const { messages } = await state(kv)
  await perform(kv, call, args)
  const after = await state(kv)
  return { ...after, messages: after.messages - messages }
}

export async function state(kv) {
  const entries = []
  for await (const { key, value, expiresAt } of kv.list({ prefix: [] }))
    entries.push({ key, value, expires: expiresAt !== undefined })
  const indexes = (await kv.listIndexes()).map(({ prefix, name, kind }) => ({ prefix, name, kind }))
  return { entries, indexes, messages: (await kv.queueStats()).total }
}
