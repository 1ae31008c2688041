// A row that was damaged on disk after an index had it: SQLite finds nothing in the index to take out, and
// refuses to replace or delete the row. The write that meets it builds the indexes again, and goes on.
import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { setClock, sweep } from "../../../dist/testing.js"
import { collect, keysOf, refused } from "../../support/assert.js"
import { counts, Listener } from "../../support/listener.js"
import { sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

/** Changes bytes of a closed file that are in it once; no index hears of it. */
function alter(file, text, into) {
  assert.equal(text.length, into.length)
  const bytes = readFileSync(file)
  const at = bytes.indexOf(text, 0, "latin1")
  assert.ok(at > 0 && bytes.indexOf(text, at + 1, "latin1") === -1, "the bytes are once in the file")
  bytes.write(into, at, "latin1")
  writeFileSync(file, bytes)
}

/** Works on a file that `prepare` has filled and `damage` altered while it was closed. */
async function damaged(prepare, damage, work) {
  const folder = tempFolder()
  const file = join(folder.path, "store.db")
  try {
    const first = new Kv(file)
    await prepare(first)
    await first.close()
    await damage(file)
    const kv = new Kv(file, { sweepInterval: 0 })
    try {
      await work(kv, file)
    } finally {
      await kv.close()
    }
    assert.deepEqual(await sql(file, "PRAGMA integrity_check"), [[{ integrity_check: "ok" }]])
  } finally {
    folder.dispose()
  }
}

const key = (name) => ["a", name]
const NAMES = ["first", "second", "third"]

const withEntries = (index, options) => async (kv) => {
  for (const name of NAMES) await kv.set(key(name), { mail: `${name}@x`, n: 1 }, options)
  await kv.createIndex(["a"], index)
}
const broken = (file) => alter(file, `{"mail":"second@x","n":1}`, `{"mail":"second@x","n":1]`)

/** What replaces or removes the damaged entry, and the names that an index then gives. */
const WRITES = {
  "a set": [(kv) => kv.set(key("second"), { mail: "new", n: 1 }), ["first", "second", "third"]],
  "a set of something else": [(kv) => kv.set(key("second"), "text"), ["first", "third"]],
  "a set with a time to live": [
    (kv) => kv.set(key("second"), { n: 1 }, { expiresIn: "1h" }),
    ["first", "second", "third"],
  ],
  setMany: [(kv) => kv.setMany([{ key: key("second"), value: { n: 1 } }]), ["first", "second", "third"]],
  "a delete": [(kv) => kv.delete(key("second")), ["first", "third"]],
  "a delete of a prefix": [(kv) => kv.delete({ prefix: ["a"] }), []],
  "a commit": [
    (kv) =>
      kv.atomic().set(key("fourth"), { n: 1 }).delete(key("second")).set(key("second"), { n: 1 }).commit(),
    ["first", "fourth", "second", "third"],
  ],
  "a transaction": [
    (kv) =>
      kv.transaction(async (tx) => {
        await tx.get(key("first"))
        tx.delete(key("second"))
      }),
    ["first", "third"],
  ],
}

// Seen to fail: each write was CORRUPT (SQLite 779), also the second time.
for (const [what, [write, names]] of Object.entries(WRITES))
  test(`a damaged entry that an index has: ${what} mends it`, () =>
    damaged(withEntries({ on: ["n"] }), broken, async (kv) => {
      await refused(() => kv.get(key("second")), "CORRUPT")
      await write(kv)
      assert.deepEqual(await keysOf(kv, ["a"], { where: { n: 1 } }), names.map(key))
    }))

describe("a damaged entry that an index has", () => {
  // Seen to fail: the writes beside it were done, it was not.
  test("is mended beside other writes of its tick", () =>
    damaged(withEntries({ on: ["n"] }), broken, async (kv) => {
      const others = Array.from({ length: 20 }, (_, n) => kv.set(["b", n], n))
      const calls = [...others, kv.set(key("second"), { n: 1 }), kv.delete(key("first")), kv.set(["c"], 1)]
      await Promise.all(calls)
      assert.deepEqual(await keysOf(kv, ["a"], { where: { n: 1 } }), [key("second"), key("third")])
      assert.equal(await kv.count(["b"]), 20)
    }))

  // Seen to fail: the sweep failed, and what had expired beside it stayed.
  test("is swept when it has expired", () =>
    damaged(withEntries({ on: ["n"] }, { expiresIn: "1m" }), broken, async (kv) => {
      setClock(kv, Date.now() + 3_600_000)
      await sweep(kv)
      assert.equal(await kv.count([]), 0)
    }))

  // Seen to fail: CORRUPT.
  test("is found again by what it is set to, where its index is unique", () =>
    damaged(withEntries({ on: ["mail"], unique: true }), broken, async (kv) => {
      await kv.set(key("second"), { mail: "second@x", n: 2 })
      assert.deepEqual(await keysOf(kv, ["a"], { where: { mail: "second@x" } }), [key("second")])
      await refused(() => kv.set(key("fourth"), { mail: "second@x" }), "CONFLICT")
    }))

  // Nobody can say which of the two is right.
  test("says how to go on, where it now shares a value that must be unique", () =>
    damaged(
      withEntries({ on: ["mail"], unique: true }),
      (file) => alter(file, `{"mail":"third@x","n":1}`, `{"mail":"first@x","n":1}`),
      async (kv) => {
        await refused(() => kv.set(key("third"), 1), "CORRUPT", /an index does not agree.*removeIndex/)
        await kv.set(["b"], 1)
        assert.equal((await kv.removeIndex(["a"], "mail")).ok, true)
        await kv.set(key("third"), { mail: "third@x" })
        await kv.createIndex(["a"], { on: ["mail"], unique: true })
        assert.deepEqual(await keysOf(kv, ["a"], { where: { mail: "third@x" } }), [key("third")])
      },
    ))
})

describe("a message whose row is damaged where an index has it", () => {
  const enqueued = async (kv) => {
    for (const value of ["first", "second", "third"]) await kv.enqueue(value, { queue: "jobs" })
  }
  // The row ends with its columns `encoding` and `value`; the index has neither.
  const statusOf = (file) =>
    sql(file, "SELECT id, seq FROM kv_queue ORDER BY seq").then(([rows]) => {
      const { id, seq } = rows[1]
      alter(
        file,
        `${id}${String.fromCharCode(seq)}jobspending`,
        `${id}${String.fromCharCode(seq)}jobspendinh`,
      )
    })

  // Seen to fail: the listener met CORRUPT (SQLite 779) again and again, and handled nothing more.
  test("becomes a dead letter, and holds up nobody", () =>
    damaged(enqueued, statusOf, async (kv) => {
      const listener = new Listener(kv, () => {}, { queue: "jobs" })
      await listener.take(2)
      await sweep(kv)
      await counts(kv, { pending: 0, processing: 0, dlq: 1 })
      assert.deepEqual(listener.values, ["first", "third"])
      await listener.stop()
      assert.deepEqual(
        (await kv.dlq.list()).map(({ value }) => value),
        ["second"],
      )
      assert.deepEqual(await collect(kv.list({ prefix: [] })), [])
    }))
})
