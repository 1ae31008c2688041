// docs/format.md against real bytes, and the promise that a file of a released schema opens for ever.
import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { gunzipSync } from "node:zlib"
import { Kv } from "@buntime/keyval"
import { encodeKey, setClock, sweep } from "../dist/testing.js"
import * as schema1 from "./data/schema-1.js"
import * as schema2 from "./data/schema-2.js"
import { plain, snapshot } from "./support/assert.js"
import { root, sql } from "./support/runtimes.js"
import { toHex, vectors } from "./support/tables/key-vectors.js"
import { tempFolder } from "./support/targets.js"

/** The schema that this version writes. A file of each that was released is here. */
const CURRENT = 2
const RELEASED = { 1: schema1, 2: schema2 }
/** The one whose bytes the document shows. */
const SHOWN = 1
const SCHEMA = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"

const doc = readFileSync(join(root, "docs/format.md"), "utf8")

function bytesOf(version) {
  return gunzipSync(readFileSync(new URL(`data/schema-${version}.db.gz`, import.meta.url)))
}

/** Works on a copy of a released file. */
async function onCopy(version, work) {
  const folder = tempFolder()
  const file = join(folder.path, "store.db")
  writeFileSync(file, bytesOf(version))
  try {
    return await work(file)
  } finally {
    folder.dispose()
  }
}

async function opened(file, options, work) {
  const kv = new Kv(file, { sweepInterval: 0, ...options })
  try {
    return await work(kv)
  } finally {
    await kv.close()
  }
}

/** A versionstamp, by the table of the document. */
function stampOf({ DATABASE_ID, MADE_AT }, commit) {
  const node = BigInt(`0x${DATABASE_ID.replaceAll("-", "")}`) & (2n ** 42n - 1n)
  const bits = (BigInt(MADE_AT + 1000 * commit) << 80n) | (0x7n << 76n) | (0b10n << 62n) | node
  const hex = bits.toString(16).padStart(32, "0")
  return [0, 8, 12, 16, 20].map((at, n) => hex.slice(at, [8, 12, 16, 20, 32][n])).join("-")
}

/** The entries that a released file has, as a list gives them. */
function expected(released) {
  const entries = released.entries.map(({ key, value, commit, expiresIn }) => {
    const entry = { key, value: plain(value), versionstamp: stampOf(released, commit) }
    return expiresIn ? { ...entry, expiresAt: released.MADE_AT + 1000 * commit + expiresIn } : entry
  })
  return entries.sort((a, b) => Buffer.compare(encodeKey(a.key), encodeKey(b.key)))
}

async function found(kv) {
  return (await snapshot(kv)).map((entry) => ({ ...entry, value: plain(entry.value) }))
}

const hexOf = (key) => toHex(encodeKey(key)).toUpperCase()

for (const [version, released] of Object.entries(RELEASED)) {
  // Seen to fail: read numbers of keys without turning their bits; or rename a tag.
  describe(`format: a file of schema ${version}`, () => {
    const lastMs = released.MADE_AT + 1000 * (released.sets.length + released.commits.length)

    test("opens, and every entry is as it was written", () =>
      onCopy(version, async (file) => {
        await opened(file, {}, async (kv) => {
          setClock(kv, lastMs)
          assert.deepEqual(await found(kv), expected(released))
          const { value } = await kv.get(["tags", "error"])
          assert.equal(value.stack, "RangeError: too far\n    at nowhere")
          assert.equal((await kv.get(["ttl", "expired"])).versionstamp, null)
        })
        const [[{ value }]] = await sql(file, "SELECT value FROM kv_meta WHERE key = 'schema_version'")
        assert.equal(value, CURRENT)
      }))

    test("is written to: counters, arrays, stamps and times to live go on", () =>
      onCopy(version, async (file) => {
        await opened(file, {}, async (kv) => {
          setClock(kv, lastMs)
          const commit = await kv
            .atomic()
            .sum(["count"], 1n)
            .sum(["u64"], 1n)
            .append(["list"], ["c"])
            .commit()
          assert.deepEqual(plain(commit.results), [43n, { u64: 259n }, 3])
          assert.equal(commit.versionstamp, stampOf(released, released.sets.length + released.commits.length))
          await kv.set(["ttl", "expired"], "again")
          await kv.touch(["ttl", "live"], { expiresIn: "1h" })
          await kv.set(["users", 124], { name: "Grace" })
          await kv.delete(["tags"])
          await sweep(kv)
        })
        await opened(file, {}, async (kv) => {
          setClock(kv, lastMs)
          const entries = await found(kv)
          assert.equal(entries.length, released.entries.length + 2 - 6)
          assert.equal(entries.find(({ key }) => key[1] === "live").expiresAt, lastMs + 3_600_000)
          assert.deepEqual((await kv.get(["list"])).value, ["a", "b", "c"])
        })
        const [sound] = await sql(file, "PRAGMA integrity_check")
        assert.deepEqual(sound, [{ integrity_check: "ok" }])
      }))

    test("keeps its change log and its settings, and goes on with them", () =>
      onCopy(version, async (file) => {
        await opened(file, {}, async (kv) => {
          setClock(kv, lastMs)
          await kv.set(["new"], 1)
          await sweep(kv)
        })
        const [rows, [{ value: retention }]] = await sql(
          file,
          "SELECT op, hex(key) AS key, value FROM kv_changes ORDER BY seq",
          "SELECT value FROM kv_meta WHERE key = 'retention_ms'",
        )
        assert.equal(retention, 50 * 365 * 86_400_000)
        const reported = rows.map(({ op, key }) => [op, key])
        const sets = released.sets.map(({ key }) => ["create", hexOf(key)])
        const changes = released.changes.map(([op, key]) => [op, hexOf(key)])
        const added = [
          ["create", ["new"]],
          ["delete", ["ttl", "expired"]],
        ].map(([op, key]) => [op, hexOf(key)])
        assert.deepEqual(reported, [...sets, ...changes, ...added])
        for (const { op, value } of rows) assert.equal(value === null, op === "delete")
      }))

    test("has the tables of a new file once it was opened", () =>
      onCopy(version, async (file) => {
        const fresh = `${file}.new`
        for (const one of [file, fresh]) await opened(one, {}, () => {})
        const [[upgraded], [made]] = await Promise.all([sql(file, SCHEMA), sql(fresh, SCHEMA)])
        assert.deepEqual(upgraded, made)
      }))
  })
}

describe("format: what schema 2 added", () => {
  test("messages, dead letters, locks and consumers go on", () =>
    onCopy(2, async (file) => {
      await opened(file, {}, async (kv) => {
        setClock(kv, schema2.MADE_AT + 1000 * (schema2.sets.length + schema2.commits.length))
        assert.deepEqual(await kv.queueStats(), { pending: 3, processing: 0, dlq: 1, total: 4 })
        const [letter] = await kv.dlq.list()
        assert.deepEqual(letter.value, new Map([["of", 2n]]))
        assert.equal(letter.errorMessage, "no")
        assert.deepEqual((await kv.dlq.requeue(letter.id)).ok, true)
        const handled = await new Promise((resolve) => {
          const values = []
          const listener = kv.listenQueue(
            ({ value }) => {
              if (values.push(value) < 3) return
              listener.stop()
              listener.finished.then(() => resolve(values))
            },
            { queue: "jobs" },
          )
        })
        assert.deepEqual(handled, ["first", Uint8Array.of(2), new Map([["of", 2n]])])
        assert.equal((await kv.queueStats("later")).pending, 1)
        assert.deepEqual(await kv.lock.status("held"), { held: true, ...schema2.LOCK })
        const changes = await kv.consumer("reader").read()
        assert.deepEqual(
          changes.map(({ key }) => key),
          schema2.UNREAD,
        )
      })
    }))
})

// Seen to fail: with a digit of a dump, of a statement or of a vector changed.
describe("format: docs/format.md", () => {
  test("describes the schema that this version writes", () => {
    assert.match(doc, new RegExp(`This page describes schema version ${CURRENT}\\.`))
    assert.equal(Object.keys(RELEASED).at(-1), String(CURRENT))
  })

  test("its dumps are the bytes of the file", () => {
    const file = bytesOf(SHOWN)
    const blocks = [...doc.matchAll(/```hex\n([^`]*)```/g)].map(([, block]) => block)
    const lines = blocks.flatMap((block) => block.trimEnd().split("\n"))
    assert.ok(lines.length > 25)
    for (const line of lines) {
      const [, at, hex] = /^([0-9a-f]{5}) ((?: [0-9a-f]{2})+) /.exec(line) ?? assert.fail(line)
      const bytes = hex.trim().split(" ")
      const from = Number.parseInt(at, 16)
      assert.equal(toHex(file.subarray(from, from + bytes.length)), bytes.join(""), line)
    }
  })

  test("its SQL is that of a new file", async () => {
    const [, text] = /```sql\n([^`]*)```/.exec(doc)
    const statements = text
      .split(";")
      .map((statement) => statement.trim())
      .filter(Boolean)
    await onCopy(CURRENT, async (file) => {
      await opened(`${file}.new`, {}, () => {})
      const [rows] = await sql(`${file}.new`, SCHEMA)
      const real = rows.filter(({ name }) => !name.startsWith("sqlite_")).map((row) => row.sql)
      assert.deepEqual(real, statements)
    })
  })

  test("its keys are vectors", () => {
    const rows = [...doc.matchAll(/^\| `(\[.*\])` \| `([0-9a-f]+)` \|$/gm)]
    assert.ok(rows.length > 10)
    const known = vectors.map(({ hex }) => hex)
    for (const [, key, hex] of rows) {
      assert.ok(known.includes(hex), key)
      assert.equal(toHex(encodeKey(new Function(`return ${key}`)())), hex, key)
    }
  })
})
