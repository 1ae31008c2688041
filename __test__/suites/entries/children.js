import assert from "node:assert/strict"
import { test } from "node:test"
import { collect, refused } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

/** What `children` must give, from all keys. */
async function expectedOf(kv, prefix) {
  const byPart = new Map()
  for (const { key } of await collect(kv.list({ prefix }, { keysOnly: true }))) {
    const part = key[prefix.length]
    const id = `${typeof part} ${part}`
    const child = byPart.get(id) ?? {
      part,
      key: key.slice(0, prefix.length + 1),
      hasEntry: false,
      hasChildren: false,
      count: 0,
    }
    child.count++
    if (key.length === prefix.length + 1) child.hasEntry = true
    else child.hasChildren = true
    byPart.set(id, child)
  }
  return [...byPart.values()]
}

const withoutCount = ({ count: _, ...child }) => child

export function children(target) {
  const store = useStore(target)

  const KEYS = [
    ["t"],
    ["t", Uint8Array.of(1, 0)],
    ["t", "a"],
    ["t", "a", 1],
    ["t", "a", 2, 3],
    ["t", "a\0"],
    ["t", "ab", 1],
    ["t", 1],
    ["t", 1, 1],
    ["t", -5, 1],
    ["t", Number.NaN],
    ["t", 1n, 2],
    ["t", false],
    ["t", true, "x", "y"],
    ["u", 1],
  ]

  test("gives the distinct next parts, with what is at them and under them", async () => {
    const { kv } = store
    await kv.setMany(KEYS.map((key) => ({ key, value: 0 })))
    for (const prefix of [["t"], [], ["t", "a"], ["t", 1n], ["u"], ["none"], ["u", 1]]) {
      const expected = await expectedOf(kv, prefix)
      assert.deepEqual(await kv.children(prefix), { children: expected.map(withoutCount), hasMore: false })
      for (const counts of [true, "exact"])
        assert.deepEqual((await kv.children(prefix, { counts })).children, expected)
    }
  })

  test("goes on behind a part, in pages of any size", async () => {
    const { kv } = store
    await kv.setMany(KEYS.map((key) => ({ key, value: 0 })))
    const expected = (await expectedOf(kv, ["t"])).map(withoutCount)
    for (let limit = 1; limit <= expected.length + 1; limit++) {
      const found = []
      for (let page = { hasMore: true }; page.hasMore; ) {
        page = await kv.children(["t"], { limit, after: found.at(-1)?.part })
        assert.ok(page.children.length === limit || !page.hasMore)
        found.push(...page.children)
      }
      assert.deepEqual(found, expected)
    }
    const parts = async (after) => (await kv.children(["t"], { after })).children.map(({ part }) => part)
    assert.deepEqual(
      await parts("aa"),
      expected.slice(3).map(({ part }) => part),
    )
    assert.deepEqual(await parts(true), [])
  })

  test("counts up to 1000, or all", async () => {
    const { kv } = store
    for (const [name, size] of [
      ["few", 999],
      ["thousand", 1000],
      ["many", 1001],
    ])
      await kv.setMany(Array.from({ length: size }, (_, at) => ({ key: ["c", name, at], value: 0 })))
    await kv.set(["c", "thousand"], 0)
    const counted = async (counts) =>
      Object.fromEntries(
        (await kv.children(["c"], { counts })).children.map(({ part, count }) => [part, count]),
      )
    assert.deepEqual(await counted(true), { few: 999, many: "1000+", thousand: "1000+" })
    assert.deepEqual(await counted("exact"), { few: 999, many: 1001, thousand: 1001 })
    assert.deepEqual(await counted(false), { few: undefined, many: undefined, thousand: undefined })
  })

  test("what has expired is absent, swept or not", async () => {
    const { kv } = store
    store.at(T0)
    await kv.set(["e", 1], 0, { expiresIn: 100 })
    await kv.set(["e", 1, 1], 0)
    await kv.set(["e", 2], 0)
    await kv.set(["e", 2, 1], 0, { expiresIn: 100 })
    await kv.set(["e", 3, 1], 0, { expiresIn: 100 })
    // Many of them: more than the JavaScript thread walks past.
    await kv.setMany(
      Array.from({ length: 3000 }, (_, at) => ({ key: ["e", 4, at], value: 0, expiresIn: 100 })),
    )
    await kv.set(["e", 5], 0)
    assert.equal((await kv.children(["e"])).children.length, 5)
    store.at(T0 + 100)
    const expected = await expectedOf(kv, ["e"])
    assert.deepEqual(
      expected.map(({ part, hasEntry, hasChildren, count }) => [part, hasEntry, hasChildren, count]),
      [
        [1, false, true, 1],
        [2, true, false, 1],
        [5, true, false, 1],
      ],
    )
    assert.deepEqual((await kv.children(["e"], { counts: true })).children, expected)
    assert.deepEqual((await kv.children(["e"])).children, expected.map(withoutCount))
  })

  test("a wide level and a deep one", async () => {
    const { kv } = store
    await kv.setMany(Array.from({ length: 1500 }, (_, at) => ({ key: ["w", at], value: 0 })))
    const page = await kv.children(["w"], { limit: 1000 })
    assert.deepEqual([page.children.length, page.children.at(-1).part, page.hasMore], [1000, 999, true])
    const { children, hasMore } = await kv.children(["w"], { limit: 1000, after: 999 })
    assert.deepEqual([children.length, hasMore], [500, false])
    assert.equal((await kv.children(["w"])).children.length, 100)
  })

  test("what is no part, and what is no prefix", async () => {
    const { kv } = store
    await refused(() => kv.children(["a"], { after: {} }), "INVALID_ARGUMENT", /after/)
    await refused(() => kv.children(["a"], { after: ["b"] }), "INVALID_ARGUMENT", /after/)
    await refused(() => kv.children({ prefix: ["a"] }), "INVALID_ARGUMENT", /prefix/)
    await refused(() => kv.children(["a"], { counts: "some" }), "INVALID_ARGUMENT", /counts/)
    await refused(() => kv.children(["a"], { limit: 1001 }), "INVALID_ARGUMENT", /limit/)
  })
}
