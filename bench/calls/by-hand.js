// The code that a careful person writes over SQLite in an hour: composite keys, values, versionstamps and
// expiry in one table. better-sqlite3, bun:sqlite and libsql have the same calls.

import { shelvedItems } from "../rows/indexes.js"
import { documents } from "../rows/search.js"

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS kv (
    key BLOB PRIMARY KEY, versionstamp TEXT NOT NULL, expires_at INTEGER, value TEXT NOT NULL
  )`
const LIVE = "(expires_at IS NULL OR expires_at > ?)"
const SQL = {
  get: `SELECT versionstamp, value FROM kv WHERE key = ? AND ${LIVE}`,
  version: `SELECT versionstamp FROM kv WHERE key = ? AND ${LIVE}`,
  list: `SELECT key, versionstamp, value FROM kv WHERE key > ? AND key < ? AND ${LIVE} ORDER BY key`,
  listBetween: `
    SELECT key, versionstamp, value FROM kv WHERE key > ? AND key < ? AND ${LIVE}
    AND json_extract(value, ?) BETWEEN ? AND ? ORDER BY key`,
  set: `
    INSERT INTO kv (key, versionstamp, value) VALUES (?, ?, ?) ON CONFLICT (key)
    DO UPDATE SET versionstamp = excluded.versionstamp, expires_at = NULL, value = excluded.value`,
  add: `
    INSERT INTO kv (key, versionstamp, value) VALUES (?, ?, ?) ON CONFLICT (key)
    DO UPDATE SET versionstamp = excluded.versionstamp, value = CAST(value AS INTEGER) + excluded.value`,
  remove: "DELETE FROM kv WHERE key = ?",
  removePrefix: "DELETE FROM kv WHERE key > ? AND key < ?",
}

export const settings =
  "WAL, synchronous=FULL, prepared statements, JSON values, a transaction a write; synchronous, so 64 at once is 64 in turn; a list decodes no keys"

const DOCUMENTS = `
  CREATE TABLE documents (id INTEGER PRIMARY KEY, value TEXT NOT NULL);
  CREATE VIRTUAL TABLE words USING fts5(title, text)`

/** Documents in a table, and their words in one of FTS5. */
function searchByHand(db) {
  db.exec(DOCUMENTS)
  const put = db.prepare(
    "INSERT INTO documents VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET value = excluded.value",
  )
  const forget = db.prepare("DELETE FROM words WHERE rowid = ?")
  const learn = db.prepare("INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)")
  const find = db.prepare(`
    SELECT value FROM words JOIN documents ON id = words.rowid WHERE words MATCH ? ORDER BY words.rank LIMIT ?`)
  const set = db.transaction((document) => {
    put.run(document.id, JSON.stringify(document))
    forget.run(document.id)
    learn.run(document.id, document.title, document.text)
    return { ok: true }
  })
  const load = db.transaction(() => {
    for (const document of documents()) {
      put.run(document.id, JSON.stringify(document))
      learn.run(document.id, document.title, document.text)
    }
  })
  load()
  return {
    search: (query, limit) => find.all(query, limit).map(({ value }) => JSON.parse(value)),
    set: (document) => set.immediate(document),
    close() {},
  }
}

const SHELVES = `
  CREATE TABLE shelved (
    key BLOB PRIMARY KEY, versionstamp TEXT NOT NULL, expires_at INTEGER, value TEXT NOT NULL
  );
  CREATE INDEX shelved_shelf ON shelved (json_extract(value, '$.shelf'), key)`
const shelf = "json_extract(value, '$.shelf')"
// Named, because SQLite would otherwise take the index of the keys.
const fromShelves = `SELECT key, versionstamp, value FROM shelved INDEXED BY shelved_shelf WHERE`

/** Items in a separate table, with an index of their shelves. */
function shelvesByHand(db, newStamp) {
  db.exec(SHELVES)
  const put = db.prepare(SQL.set.replace("INTO kv", "INTO shelved"))
  const [one, some] = ["= ?", "BETWEEN ? AND ?"].map((is) =>
    db.prepare(`${fromShelves} ${shelf} ${is} AND key > ? AND key < ? AND ${LIVE} ORDER BY key`),
  )
  const range = prefixRange(["items"])
  const set = (key, value) => {
    put.run(encodeKey(key), newStamp(), JSON.stringify(value))
    return { ok: true }
  }
  const load = db.transaction(() => {
    for (const { key, value } of shelvedItems()) set(key, value)
  })
  load()
  return {
    listBetween(first, last, visit) {
      const rows =
        first === last ? one.all(first, ...range, Date.now()) : some.all(first, last, ...range, Date.now())
      for (const row of rows) visit(new Entry(row))
    },
    set,
    close() {},
  }
}

/** The calls of a peer over an open database; `newStamp` gives a fresh versionstamp. */
export function byHand(db, newStamp) {
  db.exec("PRAGMA journal_mode = WAL")
  db.exec("PRAGMA synchronous = FULL")
  db.exec(SCHEMA)
  const sql = Object.fromEntries(Object.entries(SQL).map(([name, text]) => [name, db.prepare(text)]))

  function get(key) {
    const row = sql.get.get(encodeKey(key), Date.now())
    if (!row) return { key, value: null, versionstamp: null }
    return { key, value: JSON.parse(row.value), versionstamp: row.versionstamp }
  }

  function set(key, value, versionstamp = newStamp()) {
    sql.set.run(encodeKey(key), versionstamp, JSON.stringify(value))
    return { ok: true, versionstamp }
  }

  const versionOf = (key) => sql.version.get(encodeKey(key), Date.now())?.versionstamp ?? null

  const commit = db.transaction((checks, sets) => {
    if (checks.some(({ key, versionstamp }) => versionOf(key) !== versionstamp)) return { ok: false }
    const versionstamp = newStamp()
    for (const { key, value } of sets) set(key, value, versionstamp)
    return { ok: true, versionstamp }
  })

  return {
    get,
    getSync: get,
    set,
    load: db.transaction((entries) => {
      for (const { key, value } of entries) set(key, value)
    }),
    getMany: db.transaction((keys) => keys.map(get)),
    list(prefix, visit) {
      for (const row of sql.list.all(...prefixRange(prefix), Date.now())) visit(new Entry(row))
    },
    listBetween(prefix, field, bounds, visit) {
      const rows = sql.listBetween.all(...prefixRange(prefix), Date.now(), `$.${field}`, ...bounds)
      for (const row of rows) visit(new Entry(row))
    },
    add(key, amount) {
      const versionstamp = newStamp()
      sql.add.run(encodeKey(key), versionstamp, amount)
      return { ok: true, versionstamp }
    },
    counter: (key) => get(key).value,
    versions: (keys) => keys.map(versionOf),
    atomic: (checks, sets) => commit.immediate(checks, sets),
    delete: (key) => sql.remove.run(encodeKey(key)),
    deletePrefix: (prefix) => Number(sql.removePrefix.run(...prefixRange(prefix)).changes),
    documents: () => searchByHand(db),
    hasIndexes: true,
    shelves: () => shelvesByHand(db, newStamp),
    close: () => db.close(),
  }
}

/** An entry of a list: its key is decoded when it is looked at. */
class Entry {
  #key

  constructor({ key, value, versionstamp }) {
    this.#key = key
    this.value = JSON.parse(value)
    this.versionstamp = versionstamp
  }

  get key() {
    return decodeKey(this.#key)
  }
}

// Keys that sort part by part: a type letter, the part, a zero byte; numbers as ten digits.
export function encodeKey(key) {
  let text = ""
  for (const part of key)
    text += typeof part === "number" ? `n${String(part).padStart(10, "0")}\0` : `s${part}\0`
  return Buffer.from(text)
}

export function decodeKey(bytes) {
  // libsql's lists give an ArrayBuffer, the others a view.
  const text = ArrayBuffer.isView(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : Buffer.from(bytes)
  const parts = text.toString().split("\0")
  parts.pop()
  return parts.map((part) => (part[0] === "n" ? Number(part.slice(1)) : part.slice(1)))
}

export function prefixRange(prefix) {
  const start = encodeKey(prefix)
  return [start, Buffer.concat([start, Uint8Array.of(0xff)])]
}
