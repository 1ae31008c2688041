import { readFileSync } from "node:fs"

export const title = "lmdb"
export const runtimes = ["node"]
export const settings =
  "overlappingSync off: a commit is synced before it resolves, and shared by all that wait; values in its MessagePack, with its versions; reads are synchronous; atomic and a deleted prefix are a transaction's callback"

const PACKAGE = new URL("../node_modules/lmdb/package.json", import.meta.url)

export async function open(path) {
  const { open: openLmdb } = await import("lmdb")
  const db = openLmdb({ path, overlappingSync: false, useVersions: true })
  const get = (key) => ({ key, value: db.get(key) ?? null })
  const versionOf = (key) => db.getEntry(key)?.version ?? null
  // Strings sort after numbers, which the last part of a listed key is.
  const under = (prefix) => ({ start: prefix, end: [...prefix, "\uffff"] })
  return {
    version: JSON.parse(readFileSync(PACKAGE, "utf8")).version,
    async load(entries) {
      const writes = []
      for (const { key, value } of entries) writes.push(db.put(key, value, newVersion()))
      await Promise.all(writes)
    },
    get,
    getSync: get,
    getMany: (keys) => keys.map(get),
    list(prefix, visit) {
      for (const entry of db.getRange(under(prefix))) visit(entry)
    },
    set: async (key, value) => ({ ok: await db.put(key, value, newVersion()) }),
    add: (key, amount) =>
      db.transaction(() => {
        db.put(key, (db.get(key) ?? 0) + amount, newVersion())
        return { ok: true }
      }),
    counter: (key) => db.get(key),
    versions: (keys) => keys.map(versionOf),
    atomic: (checks, sets) =>
      db.transaction(() => {
        if (checks.some(({ key, versionstamp }) => versionOf(key) !== versionstamp)) return { ok: false }
        const version = newVersion()
        for (const { key, value } of sets) db.put(key, value, version)
        return { ok: true }
      }),
    delete: (key) => db.remove(key),
    deletePrefix: (prefix) =>
      db.transaction(() => {
        const keys = [...db.getKeys(under(prefix))]
        for (const key of keys) db.remove(key)
        return keys.length
      }),
    close: () => db.close(),
  }
}

let last = 0

/** Microseconds since 1970, each once; lmdb's versions are numbers. */
function newVersion() {
  last = Math.max(last + 1, Date.now() * 1000)
  return last
}
