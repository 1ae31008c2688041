// Values that another program has put into a file and nobody can read: each call that shows one or would
// change it is refused and names its key, none hangs or ends the process, and what is beside it stays
// readable.
import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { collect, keysOf, refused } from "./support/assert.js"
import { sql } from "./support/runtimes.js"
import { tempFolder } from "./support/targets.js"

const LEVELS = 200_000
const nested = (open, close) =>
  [
    `replace(hex(zeroblob(${LEVELS / 2})), '0', '${open}')`,
    "1",
    `replace(hex(zeroblob(${LEVELS / 2})), '0', '${close}')`,
  ].join(" || ")

const NO_BIGINT = '{"__type":"bigint","value":"no"}'

/** What nobody can read, as SQL writes it. */
const UNREADABLE = [
  ...[0, 1].flatMap((encoding) => [
    { name: `arrays nested ${LEVELS} deep`, text: nested("[", "]"), encoding },
    { name: `objects nested ${LEVELS} deep`, text: nested('{"x":', "}"), encoding },
    { name: "arrays nested 300 deep", text: `'${"[".repeat(300)}${"]".repeat(300)}'`, encoding },
    { name: "a text that breaks off", text: `'{"x":1,"text":"word"'`, encoding },
    { name: "a text with a bracket too many", text: "'[1,2]],['", encoding },
  ]),
  // Seen to fail, these three: filters matched them and a delete took them, an append and a patch were made,
  // a counter was a mismatch.
  { name: "a damaged tag in an object", text: `'{"x":5,"text":"other","n":${NO_BIGINT}}'`, encoding: 1 },
  { name: "a damaged tag in a list", text: `'[1,{"x":[${NO_BIGINT}]}]'`, encoding: 1 },
  { name: "a damaged tag", text: `'${NO_BIGINT}'`, encoding: 1 },
  { name: "an encoding of a later version", text: "'1'", encoding: 9, code: "UNSUPPORTED" },
]

for (const { name, text, encoding, code = "CORRUPT" } of UNREADABLE)
  describe(`planted: ${name}, encoding ${encoding}`, () => {
    const deep = ["a", "deep"]
    const planted = `value = CAST(${text} AS BLOB), encoding = ${encoding}`
    const named = /^key \["a", ?"deep"\]: /
    let folder
    let kv

    before(async () => {
      folder = tempFolder()
      const file = join(folder.path, "store.db")
      const first = new Kv(file, { changeLog: "values" })
      await first.set(["a", "before"], { x: 2 })
      await first.set(deep, 1)
      await first.set(["a", "good"], { x: 1, text: "word" })
      await first.enqueue(1, { queue: "jobs", backoffSchedule: [] })
      await first.close()
      await sql(
        file,
        `UPDATE kv_entries SET ${planted} WHERE value = CAST('1' AS BLOB)`,
        `UPDATE kv_changes SET ${planted} WHERE value = CAST('1' AS BLOB)`,
        `UPDATE kv_queue SET ${planted}`,
      )
      kv = new Kv(file)
    })

    after(async () => {
      await kv.close()
      folder.dispose()
    })

    // Seen to fail, of what is nested deep: all but the transaction gave the value, which overflows the stack
    // of whoever walks it; of the others: a page that had one gave nothing, and no key was named but by
    // getMany and list.
    test("reads of it are refused, and name its key", async () => {
      await refused(() => kv.get(deep), code, named)
      await refused(() => kv.getMany([["a", "good"], deep]), code, named)
      await refused(() => kv.transaction((tx) => tx.get(deep)), code, named)
      await refused(() => kv.collection(["a"]).get("deep"), code, named)
      await refused(() => collect(kv.changes({ live: false })), code, named)
      for (const target of [[deep], { prefix: ["a"] }]) {
        const error = await new Promise((resolve) => {
          const watch = kv.watch(target, () => {}, { onError: resolve })
          watch.finished?.catch(resolve)
        })
        assert.equal(error.code, code)
        assert.match(error.message, named)
      }
    })

    test("what is beside it is read", async () => {
      const [good, bad] = await Promise.allSettled([kv.get(["a", "good"]), kv.get(deep)])
      assert.equal(good.value.value.x, 1)
      assert.match(bad.reason.message, named)
      const list = kv.list(["a"])
      assert.deepEqual((await list.next()).value.key, ["a", "before"])
      await refused(() => list.next(), code, named)
      assert.deepEqual((await list.next()).value.key, ["a", "good"])
      assert.equal((await list.next()).done, true)
      const { entries, hasMore } = await kv.paginate(["a"])
      assert.deepEqual([entries.length, hasMore], [1, true])
    })

    // Seen to fail: what asks for the absence of something found it, and a delete took it.
    test("filters, indexes and backups pass it by", async () => {
      const found = [["a", "good"]]
      for (let indexed = 0; indexed < 2; indexed++) {
        assert.deepEqual(await keysOf(kv, ["a"], { where: { x: 1 } }), found)
        assert.deepEqual(await keysOf(kv, ["a"], { where: { x: { $ne: 2 } } }), found)
        assert.equal(await kv.count(["a"], { where: { y: { $null: true } } }), 2)
        assert.equal(await kv.count(["a"], { where: { $not: { x: 3 } } }), 2)
        const { deletedCount } = await kv.delete({ prefix: ["a"] }, { where: { x: { $null: true } } })
        assert.equal(deletedCount, 0)
        await kv.createIndex(["a"], { fields: ["x", "text"] })
        await kv.createIndex(["a"], { on: ["x"], unique: true })
      }
      const words = await collect(kv.search(["a"], "word"))
      assert.deepEqual(
        words.map(({ key }) => key),
        found,
      )
      await kv.backup(join(folder.path, "backup.db"))
    })

    test("a message with it becomes a dead letter", async () => {
      const listener = kv.listenQueue(() => assert.fail("handled"), { queue: "jobs", onError() {} })
      while ((await kv.queueStats("jobs")).dlq === 0) await new Promise((next) => setTimeout(next, 5))
      listener.stop()
      await listener.finished
      const [letter] = await kv.dlq.list()
      assert.match(letter.errorMessage, /damaged/)
      assert.equal((await kv.dlq.requeue(letter.id)).ok, true)
    })

    // Seen to fail: a patch was put in its place.
    test("an append, a patch and a counter are refused, and a set puts another value in its place", async () => {
      const changes = [
        (commit) => commit.append(deep, [1]),
        (commit) => commit.patch(deep, { x: { x: { y: 1 } } }),
        (commit) => commit.sum(deep, 1n),
      ]
      for (const change of changes) {
        await refused(() => change(kv.atomic()).commit(), code, named)
        await refused(() => kv.get(deep), code, named)
      }
      await kv.set(deep, "mended")
      assert.equal((await kv.get(deep)).value, "mended")
    })
  })

describe("planted: what is in an index, and was damaged after that", () => {
  const keys = ["first", "second", "third"].map((name) => ["a", name])
  const index = { fields: ["text"] }

  /** Breaks the text of one value in the closed file, byte for byte: the indexes do not hear of it. */
  function breakValue(file, text) {
    const bytes = readFileSync(file)
    const at = bytes.indexOf(text)
    assert.ok(at > 0 && bytes.indexOf(text, at + 1) === -1, "the value is once in the file")
    bytes.write("]", at + text.length - 1)
    writeFileSync(file, bytes)
  }

  async function damaged(work) {
    const folder = tempFolder()
    const file = join(folder.path, "store.db")
    try {
      const first = new Kv(file)
      for (const [at, key] of keys.entries())
        await first.set(key, { x: 1, at, text: `word ${key[1]}`, pad: `pad of ${key[1]}` })
      await first.createIndex(["a"], index)
      await first.createIndex(["a"], { on: ["x"] })
      await first.close()
      breakValue(file, `"pad of second"}`)
      const kv = new Kv(file)
      try {
        await work(kv)
      } finally {
        await kv.close()
      }
    } finally {
      folder.dispose()
    }
  }

  const named = /^key \["a", ?"second"\]: /

  // Seen to fail: with the values of a search taken as they are.
  test("a search names its key, and goes on behind it", () =>
    damaged(async (kv) => {
      for (const options of [{}, { limit: 2 }, { limit: 1000 }]) {
        const found = kv.search(["a"], "word", options)
        assert.deepEqual((await found.next()).value.key, keys[0])
        await refused(() => found.next(), "CORRUPT", named)
        if (options.limit !== 2) assert.deepEqual((await found.next()).value.key, keys[2])
        assert.equal((await found.next()).done, true)
      }
      await refused(() => collect(kv.search(["a"], "second")), "CORRUPT", named)
      assert.equal((await collect(kv.search(["a"], "third"))).length, 1)
    }))

  test("a filter passes it by, in a search too", () =>
    damaged(async (kv) => {
      const others = [keys[0], keys[2]]
      const found = await collect(kv.search(["a"], "word", { where: { x: 1 } }))
      assert.deepEqual(
        found.map(({ key }) => key),
        others,
      )
      assert.match(JSON.stringify(await kv.explain({ prefix: ["a"] }, { x: 1 })), /"x"/)
      for (const where of [{ x: 1 }, { x: { $gte: 0 } }, { x: 1, at: { $ne: 9 } }]) {
        assert.deepEqual(await keysOf(kv, ["a"], { where }), others)
        assert.equal(await kv.count(["a"], { where }), 2)
      }
      assert.equal((await kv.delete({ prefix: ["a"] }, { where: { x: 1 } })).deletedCount, 2)
      await refused(() => kv.get(keys[1]), "CORRUPT", named)
      // The index still has what was in its place: see process/store/damaged-indexes.
      await kv.set(keys[1], { x: 1, text: "word again" })
      assert.deepEqual(await keysOf(kv, ["a"], { where: { x: 1 } }), [keys[1]])
      assert.equal((await collect(kv.search(["a"], "again"))).length, 1)
    }))
})
