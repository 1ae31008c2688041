import { readFileSync } from "node:fs"

export const title = "@deno/kv"
export const runtimes = ["node"]
export const settings =
  "its defaults: WAL, fsync a commit; list in batches of 500; getMany 100 is 10 calls of 10 at once (it refuses more)"

const PACKAGE = new URL("../node_modules/@deno/kv/package.json", import.meta.url)
const MUTATIONS_A_COMMIT = 500
const KEYS_A_READ = 10

export async function open(path) {
  const { openKv } = await import("@deno/kv")
  const kv = await openKv(path)
  return {
    version: JSON.parse(readFileSync(PACKAGE, "utf8")).version,
    async load(entries) {
      let commit = kv.atomic()
      let size = 0
      for (const { key, value } of entries) {
        commit.set(key, value)
        if (++size % MUTATIONS_A_COMMIT === 0) {
          await commit.commit()
          commit = kv.atomic()
        }
      }
      await commit.commit()
    },
    get: (key) => kv.get(key),
    async getMany(keys) {
      const reads = []
      for (let i = 0; i < keys.length; i += KEYS_A_READ)
        reads.push(kv.getMany(keys.slice(i, i + KEYS_A_READ)))
      return (await Promise.all(reads)).flat()
    },
    async list(prefix, visit) {
      for await (const entry of kv.list({ prefix }, { batchSize: 500 })) visit(entry)
    },
    set: (key, value) => kv.set(key, value),
    add: (key, amount) => kv.atomic().sum(key, BigInt(amount)).commit(),
    counter: async (key) => Number((await kv.get(key)).value.value),
    delete: (key) => kv.delete(key),
    close: () => kv.close(),
  }
}
