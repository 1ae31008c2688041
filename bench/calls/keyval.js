// The calls of a peer over KeyVal.
import { shelvedItems } from "../rows/indexes.js"
import { documents } from "../rows/search.js"

/** Messages handled at a time; Deno's clients take up to 100. */
const CONCURRENCY = 64

/** `open(path)` opens another one. */
export function keyval(kv, open) {
  return {
    load: (entries) => kv.setMany(entries),
    get: (key) => kv.get(key),
    // An earlier version has none.
    ...(kv.getSync && { getSync: (key) => kv.getSync(key) }),
    getMany: (keys) => kv.getMany(keys),
    async list(prefix, visit) {
      for await (const entry of kv.list(prefix)) visit(entry)
    },
    async listBetween(prefix, field, bounds, visit) {
      for await (const entry of kv.list(prefix, { where: { [field]: { $between: bounds } } })) visit(entry)
    },
    set: (key, value) => kv.set(key, value),
    add: (key, amount) => kv.atomic().sum(key, amount).commit(),
    counter: async (key) => Number((await kv.get(key)).value),
    versions: async (keys) => (await kv.getMany(keys)).map(({ versionstamp }) => versionstamp),
    atomic(checks, sets) {
      const commit = kv.atomic().check(...checks)
      for (const { key, value } of sets) commit.set(key, value)
      return commit.commit()
    },
    delete: (key) => kv.delete(key, { exact: true }),
    deletePrefix: async (prefix) => (await kv.delete({ prefix })).deletedCount,
    queue(path, handler, { idle = 0, spread = 1 } = {}) {
      const other = open(path)
      const queueOf = (at) => (spread === 1 ? undefined : `queue-${at % spread}`)
      const listen = (queue, handle) =>
        other.listenQueue(({ value }) => handle(value), { queue, concurrency: CONCURRENCY })
      for (let at = 0; at < idle; at++) listen(`idle-${at}`, unexpected)
      if (handler) for (let at = 0; at < spread; at++) listen(queueOf(at), handler)
      let sent = 0
      return {
        enqueue: (value) => other.enqueue(value, { queue: queueOf(sent++) }),
        close: () => other.close(),
      }
    },
    hasQueues: true,
    async waiting(path, kind, count) {
      const other = open(path)
      await waitersOf[kind](other, count)
      return { set: (key, value) => other.set(key, value), close: () => other.close() }
    },
    watch(key, report) {
      const watch = kv.watch(key, ([entry]) => report(entry.value), { exact: true, emitInitial: false })
      return async () => {
        watch.stop()
        await watch.finished
      }
    },
    async documents(path) {
      const other = open(path)
      const entries = function* () {
        for (const value of documents()) yield { key: ["documents", value.id], value }
      }
      await other.setMany(entries())
      await other.createIndex(["documents"], { fields: ["title", "text"] })
      return {
        async search(query, limit) {
          const found = []
          for await (const { value } of other.search(["documents"], query, { limit })) found.push(value)
          return found
        },
        set: (document) => other.set(["documents", document.id], document),
        close: () => other.close(),
      }
    },
    hasIndexes: true,
    async shelves(path) {
      const other = open(path)
      await other.setMany(shelvedItems())
      await other.createIndex(["items"], { on: ["shelf"] })
      return {
        async listBetween(first, last, visit) {
          const shelf = first === last ? first : { $between: [first, last] }
          for await (const entry of other.list(["items"], { where: { shelf } })) visit(entry)
        },
        set: (key, value) => other.set(key, value),
        close: () => other.close(),
      }
    },
    close: () => kv.close(),
  }
}

function unexpected() {
  throw new Error("nothing was sent to this listener")
}

const idleKey = (at) => ["idle", at]

/** Waiters for something other than the keys of a row. Each resolves when all of them wait. */
const waitersOf = {
  nothing: async () => {},

  listeners: async (kv, count) => {
    for (let at = 0; at < count; at++) kv.listenQueue(unexpected, { queue: `idle-${at}` })
  },

  watches: (kv, count) => {
    const begun = Array.from({ length: count }, (_, at) => {
      return new Promise((resolve) => kv.watch(idleKey(at), resolve, { exact: true }))
    })
    return Promise.all(begun)
  },

  feeds: (kv, count) => waitingReaders(kv, count, (prefix) => kv.changes({ prefix, live: true })),

  consumers: (kv, count) =>
    waitingReaders(kv, count, (prefix) => kv.consumer(`idle-${prefix[1]}`, { prefix })),
}

/** Each reader reads one change, which proves that it works, and waits for a next one, which never comes. */
async function waitingReaders(kv, count, readerOf) {
  const prefixes = Array.from({ length: count }, (_, at) => idleKey(at))
  const readers = prefixes.map((prefix) => readerOf(prefix)[Symbol.asyncIterator]())
  const first = readers.map((reader) => reader.next())
  await kv.setMany(prefixes.map((prefix) => ({ key: [...prefix, "first"], value: 0 })))
  await Promise.all(first)
  for (const reader of readers) reader.next().catch(() => {}) // it ends when the store is closed
}
