import { existsSync, readFileSync } from "node:fs"

export const title = "keyv + @keyv/sqlite"
export const runtimes = ["node"]
export const settings =
  "its defaults: a rollback journal, synced several times a commit; keys are texts. It has no lists, counters or commits of several keys: no figures"

const MODULES = new URL("../node_modules/", import.meta.url)
const ENTRIES_A_LOAD = 10_000

/** Its driver, sqlite3, is compiled by `install.js`; where that failed, it is left out. */
export const available = () => existsSync(new URL("sqlite3/build/Release/node_sqlite3.node", MODULES))

export async function open(path) {
  const { default: Keyv } = await import("keyv")
  const { default: KeyvSqlite } = await import("@keyv/sqlite")
  const store = new KeyvSqlite(`sqlite://${path}`)
  const kv = new Keyv({ store, throwOnErrors: true })
  const entryOf = (key, value) => ({ key, value: value ?? null })
  return {
    version: versionsOf("keyv", "@keyv/sqlite"),
    /** A commit an entry would take minutes; keyv has no other. */
    async load(entries) {
      await store.query("PRAGMA synchronous = OFF")
      const some = []
      const write = () => Promise.all(some.splice(0).map(({ key, value }) => kv.set(textOf(key), value)))
      for (const entry of entries) if (some.push(entry) === ENTRIES_A_LOAD) await write()
      await write()
      await store.query("PRAGMA synchronous = FULL")
    },
    get: async (key) => entryOf(key, await kv.get(textOf(key))),
    async getMany(keys) {
      const values = await kv.getMany(keys.map(textOf))
      return keys.map((key, at) => entryOf(key, values[at]))
    },
    set: async (key, value) => ({ ok: await kv.set(textOf(key), value) }),
    delete: (key) => kv.delete(textOf(key)),
    close: () => kv.disconnect(),
  }
}

const textOf = (key) => key.join("/")

function versionsOf(...names) {
  const version = (name) => JSON.parse(readFileSync(new URL(`${name}/package.json`, MODULES), "utf8")).version
  return names.map(version).join(" + ")
}
