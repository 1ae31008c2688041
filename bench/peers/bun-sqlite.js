export const title = "bun:sqlite by hand"
export const runtimes = ["bun"]
export const settings =
  "WAL, synchronous=FULL, prepared statements, JSON values, a transaction a write; synchronous, so 64 at once is 64 in turn; a list decodes no keys"

// What a careful person writes in an hour: composite keys, values, versionstamps and expiry in one table.
const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS kv (
    key BLOB PRIMARY KEY, versionstamp TEXT NOT NULL, expires_at INTEGER, value TEXT NOT NULL
  )`
const LIVE = "(expires_at IS NULL OR expires_at > ?)"
const GET = `SELECT versionstamp, value FROM kv WHERE key = ? AND ${LIVE}`
const LIST = `SELECT key, versionstamp, value FROM kv WHERE key > ? AND key < ? AND ${LIVE} ORDER BY key`
const SET = `
  INSERT INTO kv (key, versionstamp, value) VALUES (?, ?, ?) ON CONFLICT (key)
  DO UPDATE SET versionstamp = excluded.versionstamp, expires_at = NULL, value = excluded.value`
const ADD = `
  INSERT INTO kv (key, versionstamp, value) VALUES (?, ?, ?) ON CONFLICT (key)
  DO UPDATE SET versionstamp = excluded.versionstamp, value = CAST(value AS INTEGER) + excluded.value`
const DELETE = "DELETE FROM kv WHERE key = ?"

export async function open(path) {
  const { Database } = await import("bun:sqlite")
  const db = new Database(path, { create: true })
  db.run(SCHEMA)
  const statements = Object.fromEntries(
    Object.entries({ GET, LIST, SET, ADD, DELETE }).map(([name, text]) => [name, db.prepare(text)]),
  )

  function get(key) {
    const row = statements.GET.get(encodeKey(key), Date.now())
    if (!row) return { key, value: null, versionstamp: null }
    return { key, value: JSON.parse(row.value), versionstamp: row.versionstamp }
  }

  function set(key, value) {
    const versionstamp = Bun.randomUUIDv7()
    statements.SET.run(encodeKey(key), versionstamp, JSON.stringify(value))
    return { ok: true, versionstamp }
  }

  return {
    version: Bun.version,
    synchronous: true,
    get,
    set,
    load: db.transaction((entries) => {
      for (const { key, value } of entries) set(key, value)
    }),
    getMany: db.transaction((keys) => keys.map(get)),
    list(prefix, visit) {
      const [start, end] = prefixRange(prefix)
      for (const row of statements.LIST.all(start, end, Date.now())) {
        visit(new Entry(row))
      }
    },
    add(key, amount) {
      const versionstamp = Bun.randomUUIDv7()
      statements.ADD.run(encodeKey(key), versionstamp, amount)
      return { ok: true, versionstamp }
    },
    counter: (key) => get(key).value,
    delete: (key) => statements.DELETE.run(encodeKey(key)),
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
function encodeKey(key) {
  let text = ""
  for (const part of key)
    text += typeof part === "number" ? `n${String(part).padStart(10, "0")}\0` : `s${part}\0`
  return Buffer.from(text)
}

function decodeKey(bytes) {
  const parts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString().split("\0")
  parts.pop()
  return parts.map((part) => (part[0] === "n" ? Number(part.slice(1)) : part.slice(1)))
}

function prefixRange(prefix) {
  const start = encodeKey(prefix)
  return [start, Buffer.concat([start, Uint8Array.of(0xff)])]
}
