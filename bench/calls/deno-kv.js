// The calls of a peer over Deno's own KV, which is the same in Deno and in the package for Node.
import { shelvedItems } from "../rows/indexes.js"

const MUTATIONS_A_COMMIT = 500
const KEYS_A_READ = 10
const MOST_VALUE_BYTES = 64 * 2 ** 10

/** `open(path)` opens another one; `watchOptions` are those of its watches. */
export function denoKv(kv, open, watchOptions) {
  async function getMany(keys) {
    const reads = []
    for (let i = 0; i < keys.length; i += KEYS_A_READ) reads.push(kv.getMany(keys.slice(i, i + KEYS_A_READ)))
    return (await Promise.all(reads)).flat()
  }

  /** Applies `change(commit, item)` to all items, in commits of at most `most` mutations. */
  async function inCommits(into, items, most, change) {
    let commit = into.atomic()
    let size = 0
    for await (const item of items) {
      change(commit, item)
      if (++size % most === 0) {
        await commit.commit()
        commit = into.atomic()
      }
    }
    await commit.commit()
    return size
  }

  const load = (into, entries) =>
    inCommits(into, entries, MUTATIONS_A_COMMIT, (commit, { key, value }) => commit.set(key, value))

  async function listBetween(from, prefix, field, [low, high], visit) {
    for await (const entry of from.list({ prefix }, { batchSize: 500 }))
      if (entry.value[field] >= low && entry.value[field] <= high) visit(entry)
  }

  return {
    mostValueBytes: MOST_VALUE_BYTES,
    load: (entries) => load(kv, entries),
    get: (key) => kv.get(key),
    getMany,
    async list(prefix, visit) {
      for await (const entry of kv.list({ prefix }, { batchSize: 500 })) visit(entry)
    },
    listBetween: (...filter) => listBetween(kv, ...filter),
    set: (key, value) => kv.set(key, value),
    add: (key, amount) => kv.atomic().sum(key, BigInt(amount)).commit(),
    counter: async (key) => Number((await kv.get(key)).value.value),
    versions: async (keys) => (await getMany(keys)).map(({ versionstamp }) => versionstamp),
    atomic(checks, sets) {
      const commit = kv.atomic().check(...checks)
      for (const { key, value } of sets) commit.set(key, value)
      return commit.commit()
    },
    delete: (key) => kv.delete(key),
    deletePrefix: (prefix) =>
      inCommits(kv, kv.list({ prefix }, { batchSize: 500 }), MUTATIONS_A_COMMIT, (commit, { key }) =>
        commit.delete(key),
      ),
    async queue(path, handler) {
      const other = await open(path)
      const listening = handler && other.listenQueue(handler)
      return {
        enqueue: (value) => other.enqueue(value),
        async close() {
          other.close()
          await listening?.catch(() => {}) // @deno/kv rejects if it was just finishing a message
        },
      }
    },
    async watch(key, report) {
      const reader = kv.watch([key], watchOptions).getReader()
      await reader.read() // the current value
      const reporting = reportAll(reader, report)
      return async () => {
        await reader.cancel()
        await reporting
      }
    },
    async shelves(path) {
      const other = await open(path)
      await load(other, shelvedItems())
      return {
        listBetween: (first, last, visit) => listBetween(other, ["items"], "shelf", [first, last], visit),
        close: () => other.close(),
      }
    },
    close: () => kv.close(),
  }
}

async function reportAll(reader, report) {
  for (;;) {
    const { done, value: entries } = await reader.read()
    if (done) return
    report(entries[0].value)
  }
}

export const settings =
  "its defaults: WAL, fsync a commit; lists in batches of 500; getMany 100 is 10 calls of 10 at once (it refuses more); a prefix is deleted by a list and commits of 500; a message waits at random up to 100 ms (its jitter) when its queue was idle; Deno handles up to 100 at a time, @deno/kv one"
