import assert from "node:assert/strict"
import { test } from "node:test"
import { collect, keysOf, snapshot } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

const TREE = [
  { key: ["a"], value: { go: true } },
  { key: ["a", 1], value: { go: false } },
  { key: ["a", 1, "x"], value: { go: true } },
  { key: ["a", 2], value: { go: true } },
  { key: ["a\0"], value: { go: true } },
  { key: ["b"], value: { go: true } },
  { key: ["b", 1], value: "no object" },
]
const go = { where: { go: true } }

/** What a call takes of the tree. */
const CALLS = [
  ["a key and its descendants", (kv) => kv.delete(["a"], go), [["a"], ["a", 1, "x"], ["a", 2]]],
  ["a key below", (kv) => kv.delete(["a", 1], go), [["a", 1, "x"]]],
  ["a key, exactly", (kv) => kv.delete(["a"], { exact: true, ...go }), [["a"]]],
  ["a key that does not match, exactly", (kv) => kv.delete(["a", 1], { exact: true, ...go }), []],
  ["a key that is not there", (kv) => kv.delete(["c"], go), []],
  ["several keys", (kv) => kv.delete([["a", 1], ["b"], ["c"]], go), [["a", 1, "x"], ["b"]]],
  [
    "several keys, exactly",
    (kv) => kv.delete([["a", 1], ["a", 2], ["b"]], { exact: true, ...go }),
    [["a", 2], ["b"]],
  ],
  [
    "a key twice, and one in another",
    (kv) => kv.delete([["a"], ["a"], ["a", 1]], go),
    [["a"], ["a", 1, "x"], ["a", 2]],
  ],
  [
    "a prefix",
    (kv) => kv.delete({ prefix: ["a"] }, go),
    [
      ["a", 1, "x"],
      ["a", 2],
    ],
  ],
  ["a range", (kv) => kv.delete({ start: ["a", 2], end: ["b", 1] }, go), [["a", 2], ["a\0"], ["b"]]],
  [
    "everything that matches",
    (kv) => kv.delete({ prefix: [] }, go),
    [["a"], ["a", 1, "x"], ["a", 2], ["a\0"], ["b"]],
  ],
  ["what is absent", (kv) => kv.delete({ prefix: [] }, { where: { go: { $null: true } } }), [["b", 1]]],
  ["nothing", (kv) => kv.delete({ prefix: [] }, { where: { go: 1 } }), []],
]

const name = (key) => key.map((part) => JSON.stringify(part)).join("/")

/** `delete` with a filter: only matches go, in one commit, with a row of the change log each. */
export function whereDelete(target) {
  const store = useStore(target)

  for (const [what, call, gone] of CALLS)
    test(`deletes only the matching entries: ${what}`, async () => {
      const { kv } = store
      await kv.setMany(TREE)
      const before = await snapshot(kv)
      const head = await kv.changes.head()
      assert.deepEqual(await call(kv), { success: true, deletedCount: gone.length })
      const names = new Set(gone.map(name))
      assert.deepEqual(
        await snapshot(kv),
        before.filter(({ key }) => !names.has(name(key))),
      )
      const changes = await collect(kv.changes({ from: head + 1 }))
      assert.deepEqual(
        changes.map(({ type, key }) => [type, key]),
        gone.map((key) => ["delete", key]),
      )
      assert.ok(new Set(changes.map(({ versionstamp }) => versionstamp)).size <= 1, "one commit")
      assert.deepEqual(await call(kv), { success: true, deletedCount: 0 })
    })

  test("many matches are one commit", async () => {
    const { kv } = store
    await kv.setMany(
      Array.from({ length: 5000 }, (_, n) => ({ key: ["n", n], value: { odd: n % 2 === 1, n } })),
    )
    const head = await kv.changes.head()
    const { deletedCount } = await kv.delete({ prefix: ["n"] }, { where: { odd: true } })
    assert.equal(deletedCount, 2500)
    const changes = await collect(kv.changes({ from: head + 1 }))
    assert.equal(changes.length, 2500)
    assert.equal(new Set(changes.map(({ versionstamp }) => versionstamp)).size, 1)
    assert.equal(await kv.count(["n"], { where: { odd: true } }), 0)
    assert.equal(await kv.count(["n"]), 2500)
  })

  test("a watch reports only the matches", async () => {
    const { kv } = store
    await kv.setMany(TREE)
    const watch = kv.watch(["a"], { emitInitial: false })
    const next = watch.next()
    await kv.delete(["a"], go)
    const { value } = await next
    assert.deepEqual(
      value.entries.map(({ key, versionstamp }) => [name(key), versionstamp]).toSorted(),
      [["a"], ["a", 1, "x"], ["a", 2]].map((key) => [name(key), null]).toSorted(),
    )
    await watch.return()
  })

  test("an entry written while a delete waits is judged when the delete runs", async () => {
    const { kv } = store
    await kv.setMany(TREE)
    const [, removed] = await Promise.all([
      kv.set(["a", 1], { go: true }),
      kv.delete({ prefix: ["a"] }, go),
      kv.set(["a", 3], { go: true }),
    ])
    assert.equal(removed.deletedCount, 3)
    assert.deepEqual(await keysOf(kv, ["a"]), [["a", 3]])
  })

  test("kv.now() in a delete is the time of its commit, and what has expired is not counted", async () => {
    const { kv } = store
    store.at(T0)
    await kv.setMany([
      { key: ["s", 1], value: { endsAt: T0 + 5 } },
      { key: ["s", 2], value: { endsAt: new Date(T0 + 10) } },
      { key: ["s", 3], value: { endsAt: T0 + 5 }, expiresIn: 7 },
      { key: ["s", 4], value: { endsAt: "never" } },
    ])
    const over = { where: { endsAt: { $lte: kv.now() } } }
    assert.equal((await kv.delete({ prefix: ["s"] }, over)).deletedCount, 0)
    store.at(T0 + 7)
    assert.equal((await kv.delete({ prefix: ["s"] }, over)).deletedCount, 1)
    store.at(T0 + 10)
    assert.equal((await kv.delete({ prefix: ["s"] }, over)).deletedCount, 1)
    assert.deepEqual(await keysOf(kv, ["s"]), [["s", 4]])
  })

  test("two filtered deletes at once delete each match once", async () => {
    const { kv } = store
    await kv.setMany(TREE)
    const results = await Promise.all(Array.from({ length: 8 }, () => kv.delete({ prefix: [] }, go)))
    assert.equal(
      results.reduce((sum, { deletedCount }) => sum + deletedCount, 0),
      5,
    )
  })
}
