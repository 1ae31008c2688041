import { readFileSync } from "node:fs"
import { decodeKey, encodeKey, prefixRange } from "../calls/by-hand.js"

export const title = "classic-level"
export const runtimes = ["node"]
export const settings =
  "sync: true with every write; JSON values; a list is one all(). It has no counters, no checks, and its clear(range) cannot be synced: no figures"

const PACKAGE = new URL("../node_modules/classic-level/package.json", import.meta.url)
const SYNCED = { sync: true }
const WRITES_A_BATCH = 10_000

export async function open(path) {
  const { ClassicLevel } = await import("classic-level")
  const db = new ClassicLevel(path, { keyEncoding: "buffer", valueEncoding: "json" })
  await db.open()
  const entryOf = (key, value) => ({ key, value: value ?? null })
  return {
    version: JSON.parse(readFileSync(PACKAGE, "utf8")).version,
    async load(entries) {
      const batch = []
      const write = () => db.batch(batch.splice(0), SYNCED)
      for (const { key, value } of entries) {
        if (batch.push({ type: "put", key: encodeKey(key), value }) === WRITES_A_BATCH) await write()
      }
      await write()
    },
    get: async (key) => entryOf(key, await db.get(encodeKey(key))),
    async getMany(keys) {
      const values = await db.getMany(keys.map(encodeKey))
      return keys.map((key, at) => entryOf(key, values[at]))
    },
    async list(prefix, visit) {
      const [gt, lt] = prefixRange(prefix)
      for (const [key, value] of await db.iterator({ gt, lt }).all()) visit(new Entry(key, value))
    },
    async set(key, value) {
      await db.put(encodeKey(key), value, SYNCED)
      return { ok: true }
    },
    delete: (key) => db.del(encodeKey(key), SYNCED),
    close: () => db.close(),
  }
}

/** An entry of a list: its key is decoded when it is looked at, as by hand. */
class Entry {
  #key

  constructor(key, value) {
    this.#key = key
    this.value = value
  }

  get key() {
    return decodeKey(this.#key)
  }
}
