import { fileURLToPath } from "node:url"
import { collect } from "./assert.js"
import { sql } from "./runtimes.js"

/** Indexes the texts of `["t", id]`, and writes them. */
export async function index(kv, texts, options = {}) {
  await kv.createIndex(["t"], { fields: ["text"], ...options })
  await kv.setMany(Object.entries(texts).map(([id, text]) => ({ key: ["t", id], value: { text } })))
}

/** The last parts of the keys that a search finds, best first. */
export async function found(kv, prefix, query, options) {
  return (await collect(kv.search(prefix, query, options))).map(({ key }) => key.at(-1))
}

/** The same in an order of its own, for what has no ranking. */
export async function foundSorted(kv, prefix, query, options) {
  return (await found(kv, prefix, query, options)).sort()
}

/**
 * The faults in the index rows of a file: rows of words without an entry, and entries without their row. Asks
 * in a separate process.
 */
export async function orphans(url) {
  const file = url.startsWith("file:") ? fileURLToPath(new URL(url)) : url
  const [indexes] = await sql(file, "SELECT id, hex(prefix) AS prefix FROM kv_indexes WHERE kind = 'search'")
  const wrong = []
  for (const { id, prefix } of indexes) {
    const within = prefix ? `key > x'${prefix}' AND key < x'${prefix}ff'` : "1"
    const entries = `SELECT rowid FROM kv_entries WHERE ${within} AND encoding < 2`
    const words = `SELECT id FROM kv_search_${id}_docsize`
    const [[{ rows }], [{ live }], lost, missing] = await sql(
      file,
      `SELECT count(*) AS rows FROM kv_search_${id}`,
      `SELECT count(*) AS live FROM (${entries})`,
      `${words} EXCEPT ${entries}`,
      `${entries} EXCEPT ${words}`,
    )
    if (rows !== live || lost.length > 0 || missing.length > 0) wrong.push({ id, rows, live, lost, missing })
  }
  return wrong
}
