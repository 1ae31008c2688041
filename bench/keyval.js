// The calls of a peer over KeyVal.
import { shelvedItems } from "./index-rows.js"
import { documents } from "./search-rows.js"

/** Messages handled at a time; Deno's clients take up to 100. */
const CONCURRENCY = 64

/** `open(path)` opens another one. */
export function keyval(kv, open) {
  return {
    load: (entries) => kv.setMany(entries),
    get: (key) => kv.get(key),
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
    queue(path, handler) {
      const other = open(path)
      if (handler) other.listenQueue(({ value }) => handler(value), { concurrency: CONCURRENCY })
      return { enqueue: (value) => other.enqueue(value), close: () => other.close() }
    },
    watch(key, tell) {
      const watch = kv.watch(key, ([entry]) => tell(entry.value), { exact: true, emitInitial: false })
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
