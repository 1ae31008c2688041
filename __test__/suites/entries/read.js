import assert from "node:assert/strict"
import { test } from "node:test"
import { absent, collect, keysOf, refused, STAMP, valuesOf } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

async function fill(kv, prefix, count) {
  await kv.setMany(Array.from({ length: count }, (_, at) => ({ key: [...prefix, at], value: at })))
}

function upTo(count, from = 0) {
  return Array.from({ length: count }, (_, at) => from + at)
}

export function read(target) {
  const store = useStore(target)

  test("get gives key, value and versionstamp, and no expiresAt without a time to live", async () => {
    const { versionstamp } = await store.kv.set(["a", 1], { name: "Ada" })
    assert.match(versionstamp, STAMP)
    const entry = await store.kv.get(["a", 1])
    assert.deepEqual(entry, { key: ["a", 1], value: { name: "Ada" }, versionstamp })
    assert.equal("expiresAt" in entry, false)
  })

  test("expiresAt is given wherever an entry is", async () => {
    store.at(T0)
    await store.kv.set(["a", 1], 0, { expiresIn: 500 })
    const readers = [
      await store.kv.get(["a", 1]),
      (await store.kv.getMany([["a", 1]]))[0],
      (await collect(store.kv.list(["a"])))[0],
      (await collect(store.kv.list(["a"], { keysOnly: true })))[0],
      (await store.kv.paginate(["a"])).entries[0],
      (await store.kv.transaction((tx) => tx.get(["a", 1]))).value,
    ]
    for (const entry of readers) assert.equal(entry.expiresAt, T0 + 500)
  })

  test("an absent key", async () => {
    assert.deepEqual(await store.kv.get(["none"]), absent(["none"]))
    await store.kv.set(["a", "b"], 1)
    assert.deepEqual(await store.kv.get(["a"]), absent(["a"]))
    assert.deepEqual(await store.kv.get(["a", "b", "c"]), absent(["a", "b", "c"]))
  })

  test("get of keys and getMany are the same: in the order asked, absent and repeated keys too", async () => {
    await fill(store.kv, ["n"], 3)
    const keys = [["n", 2], ["none"], ["n", 0], ["n", 2]]
    const given = await store.kv.getMany(keys)
    assert.deepEqual(
      given.map(({ key, value }) => [key, value]),
      [
        [["n", 2], 2],
        [["none"], null],
        [["n", 0], 0],
        [["n", 2], 2],
      ],
    )
    assert.equal(given[1].versionstamp, null)
    assert.deepEqual(await store.kv.get(keys), given)
  })

  test("no keys give no entries", async () => {
    assert.deepEqual(await store.kv.getMany([]), [])
    assert.deepEqual(await store.kv.get([]), [])
  })

  test("1000 keys, and not one more", async () => {
    await fill(store.kv, ["n"], 1000)
    const keys = upTo(1000).map((at) => ["n", at])
    const given = await store.kv.getMany(keys)
    assert.deepEqual(
      given.map(({ value }) => value),
      upTo(1000),
    )
    for (const call of ["getMany", "get"]) {
      await refused(() => store.kv[call]([...keys, ["n", 1000]]), "LIMIT_EXCEEDED", /1001/, /1000/)
    }
  })

  test("many gets of one tick are answered each by its own entry", async () => {
    await fill(store.kv, ["n"], 2000)
    const given = await Promise.all(upTo(2100).map((at) => store.kv.get(["n", at])))
    for (const [at, entry] of given.entries()) {
      assert.deepEqual(entry.key, ["n", at])
      assert.equal(entry.value, at < 2000 ? at : null)
    }
  })

  test("a bad key among the gets of a tick fails alone", async () => {
    await fill(store.kv, ["n"], 2)
    const calls = [
      ["n", 0],
      ["n", null],
      ["n", 1],
    ].map(async (key) => store.kv.get(key))
    const [first, second, third] = await Promise.allSettled(calls)
    assert.equal(first.value.value, 0)
    assert.equal(second.reason.code, "INVALID_ARGUMENT")
    assert.equal(third.value.value, 1)
  })

  test("both consistencies read the same here", async () => {
    await store.kv.set(["a", 1], 1)
    for (const consistency of ["strong", "eventual"]) {
      assert.equal((await store.kv.get(["a", 1], { consistency })).value, 1)
      assert.equal((await store.kv.getMany([["a", 1]], { consistency }))[0].value, 1)
      assert.deepEqual(await valuesOf(store.kv, ["a"], { consistency }), [1])
    }
  })

  test("a read that follows an awaited write sees it", async () => {
    for (let at = 0; at < 50; at++) {
      await store.kv.set(["a", "b"], at)
      assert.equal((await store.kv.get(["a", "b"])).value, at)
      assert.deepEqual(await valuesOf(store.kv, ["a"]), [at])
    }
  })

  test("a prefix lists its descendants, never itself", async () => {
    for (const key of [["a"], ["a", 1], ["a", 1, 2], ["a", 2], ["b"], ["ab"]]) await store.kv.set(key, 0)
    assert.deepEqual(await keysOf(store.kv, ["a"]), [
      ["a", 1],
      ["a", 1, 2],
      ["a", 2],
    ])
    assert.deepEqual(await keysOf(store.kv, { prefix: ["a"] }), [
      ["a", 1],
      ["a", 1, 2],
      ["a", 2],
    ])
    assert.deepEqual(await keysOf(store.kv, ["a", 1]), [["a", 1, 2]])
    assert.deepEqual(await keysOf(store.kv, ["c"]), [])
    assert.equal(await store.kv.count(["a"]), 3)
    assert.equal(await store.kv.count({ prefix: ["a"] }), 3)
  })

  test("the empty prefix is everything, in every form", async () => {
    for (const key of [["a"], ["a", 1], [true], [Uint8Array.of(0)]]) await store.kv.set(key, 0)
    const all = [[Uint8Array.of(0)], ["a"], ["a", 1], [true]]
    assert.deepEqual(await keysOf(store.kv, []), all)
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }), all)
    assert.equal(await store.kv.count([]), 4)
    assert.equal((await store.kv.paginate([])).entries.length, 4)
  })

  test("start is inclusive, end is exclusive, in the selector and in the options", async () => {
    await fill(store.kv, ["n"], 10)
    const [prefix, start, end] = [["n"], ["n", 3], ["n", 6]]
    const ranges = [
      [{ prefix, start }, upTo(7, 3)],
      [{ prefix, end }, upTo(6)],
      [{ prefix, start, end }, upTo(3, 3)],
      [{ start, end }, upTo(3, 3)],
      [{ start: ["n", 8] }, upTo(2, 8)],
      [{ end: ["n", 2] }, upTo(2)],
      [{ prefix, start: ["n", 2.5], end: ["n", 3.5] }, [3]],
      [{ prefix, start, end: start }, []],
    ]
    for (const [selector, expected] of ranges) {
      assert.deepEqual(await valuesOf(store.kv, selector), expected)
      assert.deepEqual(await valuesOf(store.kv, selector, { reverse: true }), expected.toReversed())
      assert.equal(await store.kv.count(selector), expected.length)
    }
    await refused(() => store.kv.list({ start: end, end: start }), "INVALID_ARGUMENT", /start/, /end/)
    await refused(
      () => store.kv.count({ prefix, start: end, end: start }),
      "INVALID_ARGUMENT",
      /start/,
      /end/,
    )
    assert.deepEqual(await valuesOf(store.kv, prefix, { start, end }), upTo(3, 3))
    assert.deepEqual(await valuesOf(store.kv, { prefix }, { start }), upTo(7, 3))
    assert.deepEqual(await valuesOf(store.kv, prefix, { end, reverse: true }), upTo(6).toReversed())
  })

  test("a range of whole keys takes the keys under its start, not those under its end", async () => {
    for (const key of [["a"], ["a", 1], ["b"], ["b", 1], ["c"]]) await store.kv.set(key, 0)
    assert.deepEqual(await keysOf(store.kv, { start: ["a"], end: ["b"] }), [["a"], ["a", 1]])
    assert.deepEqual(await keysOf(store.kv, { start: ["b"], end: ["c"] }), [["b"], ["b", 1]])
  })

  test("limit bounds a list in both directions, over several pages", async () => {
    await fill(store.kv, ["n"], 25)
    for (const limit of [1, 9, 10, 11, 25, 26]) {
      for (const batchSize of [1, 10, 1000]) {
        const expected = upTo(25).slice(0, limit)
        assert.deepEqual(await valuesOf(store.kv, ["n"], { limit, batchSize }), expected)
        const last = upTo(25).toReversed().slice(0, limit)
        assert.deepEqual(await valuesOf(store.kv, ["n"], { limit, batchSize, reverse: true }), last)
      }
    }
  })

  test("keysOnly gives no value member", async () => {
    const { versionstamp } = await store.kv.set(["a", 1], "value")
    assert.deepEqual(await collect(store.kv.list(["a"], { keysOnly: true })), [
      { key: ["a", 1], versionstamp },
    ])
  })

  test("expired entries are in no list and no count", async () => {
    store.at(T0)
    await store.kv.set(["a", 1], 1, { expiresIn: 100 })
    await store.kv.set(["a", 2], 2)
    store.at(T0 + 100)
    assert.deepEqual(await valuesOf(store.kv, ["a"]), [2])
    assert.deepEqual(await valuesOf(store.kv, ["a"], { limit: 1 }), [2])
    assert.equal(await store.kv.count(["a"]), 1)
    assert.deepEqual(await store.kv.paginate(["a"], { limit: 1 }), {
      entries: await collect(store.kv.list(["a"])),
      cursor: null,
      hasMore: false,
    })
  })
}
