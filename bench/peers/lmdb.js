import { readFileSync } from "node:fs"

export const title = "lmdb"
export const runtimes = ["node"]
export const settings =
  "overlappingSync off: a commit is synced before it resolves, and shared by all that wait; values in its MessagePack; reads are synchronous"

const PACKAGE = new URL("../node_modules/lmdb/package.json", import.meta.url)

export async function open(path) {
  const { open: openLmdb } = await import("lmdb")
  const db = openLmdb({ path, overlappingSync: false })
  const get = (key) => ({ key, value: db.get(key) ?? null })
  return {
    version: JSON.parse(readFileSync(PACKAGE, "utf8")).version,
    async load(entries) {
      const writes = []
      for (const { key, value } of entries) writes.push(db.put(key, value))
      await Promise.all(writes)
    },
    get,
    getMany: (keys) => keys.map(get),
    list(prefix, visit) {
      // Strings sort after numbers, which the last part of a listed key is.
      for (const entry of db.getRange({ start: prefix, end: [...prefix, "\uffff"] })) visit(entry)
    },
    set: async (key, value) => ({ ok: await db.put(key, value) }),
    add: (key, amount) =>
      db.transaction(() => {
        db.put(key, (db.get(key) ?? 0) + amount)
        return { ok: true }
      }),
    counter: (key) => db.get(key),
    delete: (key) => db.remove(key),
    close: () => db.close(),
  }
}
