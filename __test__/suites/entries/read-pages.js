import assert from "node:assert/strict"
import { test } from "node:test"
import { collect, keysOf, refused, valuesOf } from "../../support/assert.js"
import { useStore } from "../../support/store.js"

const COUNT = 25

async function fill(kv, prefix, count = COUNT, value = (at) => at) {
  await kv.setMany(Array.from({ length: count }, (_, at) => ({ key: [...prefix, at], value: value(at) })))
}

function upTo(count, from = 0) {
  return Array.from({ length: count }, (_, at) => from + at)
}

async function take(iterator, count) {
  const values = []
  while (values.length < count) values.push((await iterator.next()).value.value)
  return values
}

/** Every text that differs from the cursor in one character, and some that are none. */
function spoiled(cursor) {
  const texts = upTo(cursor.length).map(
    (at) => cursor.slice(0, at) + (cursor[at] === "A" ? "B" : "A") + cursor.slice(at + 1),
  )
  return [...texts, cursor.slice(0, -1), cursor.slice(1), `${cursor}A`, `${cursor}${cursor}`]
}

/** Values behind a cursor, or null if it is refused. */
async function resume(kv, selector, options) {
  try {
    return await valuesOf(kv, selector, options)
  } catch (error) {
    assert.equal(error.code, "INVALID_ARGUMENT", error.stack)
    return null
  }
}

export function readPages(target) {
  const store = useStore(target)

  test("a list goes on from its cursor, at every entry and in both directions", async () => {
    await fill(store.kv, ["n"])
    for (const reverse of [false, true]) {
      const all = reverse ? upTo(COUNT).toReversed() : upTo(COUNT)
      const iterator = store.kv.list(["n"], { reverse, batchSize: 4 })
      assert.equal(iterator.cursor, "")
      for (let at = 1; at <= COUNT; at++) {
        await iterator.next()
        assert.equal(typeof iterator.cursor, "string")
        const rest = await valuesOf(store.kv, ["n"], { reverse, cursor: iterator.cursor })
        assert.deepEqual(rest, all.slice(at))
      }
      assert.deepEqual(await iterator.next(), { done: true, value: undefined })
      assert.equal(iterator.cursor, "")
    }
  })

  // Seen to fail: the cursor never became "", and the loop began the last page for ever.
  test("Deno's loop: pages by the iterator's cursor, until it is empty", async () => {
    await store.kv.setMany(upTo(6).map((n) => ({ key: ["n", n], value: { even: n % 2 === 0 } })))
    const where = { even: true }
    for (const options of [
      { limit: 4 },
      { limit: 3 },
      { limit: 1 },
      { limit: 6 },
      { limit: 100 },
      { limit: 4, reverse: true },
      { limit: 3, keysOnly: true, batchSize: 1 },
      { limit: 2, where },
      { limit: 3, where, reverse: true },
      {},
    ]) {
      const seen = []
      let [cursor, pages] = ["", 0]
      do {
        const iterator = store.kv.list({ prefix: ["n"] }, { ...options, cursor })
        for await (const { key } of iterator) seen.push(key[1])
        cursor = iterator.cursor
        assert.ok(++pages <= 7, `endless: ${JSON.stringify(options)}`)
      } while (cursor !== "")
      const all = options.where ? [0, 2, 4] : upTo(6)
      assert.deepEqual(seen, options.reverse ? all.toReversed() : all)
    }
  })

  test("a cursor is empty only once the end was returned", async () => {
    await fill(store.kv, ["n"], 3)
    const left = store.kv.list(["n"])
    for await (const { value } of left) if (value === 2) break
    assert.deepEqual(await valuesOf(store.kv, ["n"], { cursor: left.cursor }), [])
    assert.notEqual(left.cursor, "")
    const [some, none] = [store.kv.list(["n"], { limit: 2 }), store.kv.list(["none"])]
    assert.equal((await collect(some)).length, 2)
    assert.deepEqual(await valuesOf(store.kv, ["n"], { cursor: some.cursor }), [2])
    const rest = store.kv.list(["n"], { cursor: left.cursor })
    for (const iterator of [none, rest]) {
      assert.deepEqual(await collect(iterator), [])
      assert.equal(iterator.cursor, "")
    }
  })

  test("an empty cursor is the beginning", async () => {
    await fill(store.kv, ["n"])
    assert.deepEqual(await valuesOf(store.kv, ["n"], { cursor: "" }), upTo(COUNT))
    const first = await store.kv.paginate(["n"], { limit: 3 })
    for (const cursor of ["", null, undefined]) {
      assert.deepEqual(await store.kv.paginate(["n"], { limit: 3, cursor }), first)
    }
  })

  test("a cursor survives the deletion of its entry, and sees what was added behind it", async () => {
    await fill(store.kv, ["n"])
    const iterator = store.kv.list(["n"])
    await take(iterator, 10)
    await store.kv.delete(["n", 9])
    await store.kv.set(["n", 9.5], "new")
    const rest = await valuesOf(store.kv, ["n"], { cursor: iterator.cursor })
    assert.deepEqual(rest, ["new", ...upTo(15, 10)])
  })

  test("cursor, limit, keysOnly and a range together", async () => {
    await fill(store.kv, ["n"])
    const range = { prefix: ["n"], start: ["n", 5], end: ["n", 20] }
    const iterator = store.kv.list(range, { limit: 4, keysOnly: true })
    assert.equal((await collect(iterator)).length, 4)
    const more = await keysOf(store.kv, range, { limit: 3, cursor: iterator.cursor, keysOnly: true })
    assert.deepEqual(more, [
      ["n", 9],
      ["n", 10],
      ["n", 11],
    ])
  })

  test("a cursor of another range or direction is refused", async () => {
    await fill(store.kv, ["a"])
    await fill(store.kv, ["b"])
    const iterator = store.kv.list(["a"])
    await take(iterator, 3)
    const { cursor } = iterator
    await refused(() => store.kv.list(["b"], { cursor }), "INVALID_ARGUMENT", /cursor/)
    await refused(() => store.kv.list(["a", 1], { cursor }), "INVALID_ARGUMENT", /cursor/)
    await refused(() => store.kv.list({ start: ["a", 10] }, { cursor }), "INVALID_ARGUMENT", /cursor/)
    await refused(() => store.kv.paginate(["b"], { cursor }), "INVALID_ARGUMENT", /cursor/)
    await refused(() => store.kv.list(["a"], { cursor, reverse: true }), "INVALID_ARGUMENT", /cursor/)
  })

  test("a spoiled cursor is refused, or at worst gives entries of its own range", async () => {
    await fill(store.kv, ["m"])
    await fill(store.kv, ["n"])
    await fill(store.kv, ["o"])
    const iterator = store.kv.list(["n"])
    await take(iterator, 10)
    for (const cursor of spoiled(iterator.cursor)) {
      for (const reverse of [false, true]) {
        const keys = await resume(store.kv, ["n"], { cursor, reverse })
        const listed = keys ?? []
        assert.ok(listed.length <= COUNT, `${cursor} gave entries of another prefix`)
      }
    }
  })

  for (const cursor of ["garbage", "!", "AA", "é", "\0", "x".repeat(10_000), "../..", "null"]) {
    test(`an invalid cursor is refused: ${JSON.stringify(cursor.slice(0, 20))}`, async () => {
      await fill(store.kv, ["n"])
      await refused(() => store.kv.list(["n"], { cursor }), "INVALID_ARGUMENT", /cursor/)
      await refused(() => store.kv.paginate(["n"], { cursor }), "INVALID_ARGUMENT", /cursor/)
    })
  }

  test("batchSize changes no result", async () => {
    await fill(store.kv, ["n"], 1203)
    const expected = await collect(store.kv.list(["n"]))
    assert.equal(expected.length, 1203)
    for (const batchSize of [1, 7, 100, 999, 1000]) {
      assert.deepEqual(await collect(store.kv.list(["n"], { batchSize })), expected)
    }
    assert.deepEqual(
      await collect(store.kv.list(["n"], { reverse: true, batchSize: 100 })),
      expected.toReversed(),
    )
  })

  test("pages that reach 96 KiB are cut and lose nothing", async () => {
    const text = (at) => `${at}:${"v".repeat(4096)}`
    await fill(store.kv, ["big"], 400, text)
    const expected = upTo(400).map(text)
    for (const options of [{}, { batchSize: 1000 }, { batchSize: 64 }]) {
      assert.deepEqual(await valuesOf(store.kv, ["big"], options), expected)
      assert.deepEqual(
        await valuesOf(store.kv, ["big"], { ...options, reverse: true }),
        expected.toReversed(),
      )
    }
    assert.equal((await keysOf(store.kv, ["big"], { keysOnly: true })).length, 400)
    const { entries, hasMore } = await store.kv.paginate(["big"], { limit: 400 })
    assert.equal(hasMore, false)
    assert.deepEqual(
      entries.map(({ value }) => value),
      expected,
    )
    const many = await store.kv.getMany(upTo(400).map((at) => ["big", at]))
    assert.deepEqual(
      many.map(({ value }) => value),
      expected,
    )
  })

  test("values that are larger than a page, between small ones", async () => {
    const sizes = [1, 300_000, 10, 2 ** 20, 1, 1, 262_144, 262_143, 5]
    await fill(store.kv, ["v"], sizes.length, (at) => "v".repeat(sizes[at]))
    for (const reverse of [false, true]) {
      const given = (await valuesOf(store.kv, ["v"], { reverse })).map(({ length }) => length)
      assert.deepEqual(given, reverse ? sizes.toReversed() : sizes)
    }
  })

  test("leaving a loop ends its iterator", async () => {
    await fill(store.kv, ["n"])
    const iterator = store.kv.list(["n"], { batchSize: 2 })
    for await (const { value } of iterator) if (value === 4) break
    assert.deepEqual(await iterator.next(), { done: true, value: undefined })
    const rest = await valuesOf(store.kv, ["n"], { cursor: iterator.cursor })
    assert.deepEqual(rest, upTo(COUNT - 5, 5))
  })

  test("return ends an iterator at once, also before the first entry", async () => {
    await fill(store.kv, ["n"])
    const iterator = store.kv.list(["n"])
    assert.equal(iterator[Symbol.asyncIterator](), iterator)
    assert.deepEqual(await iterator.return(), { done: true, value: undefined })
    assert.deepEqual(await iterator.next(), { done: true, value: undefined })
  })

  test("calls of next that are not awaited give each entry once, in order", async () => {
    await fill(store.kv, ["n"])
    const iterator = store.kv.list(["n"], { batchSize: 3 })
    const given = await Promise.all(upTo(COUNT + 2).map(() => iterator.next()))
    assert.deepEqual(
      given.map(({ value }) => value?.value),
      [...upTo(COUNT), undefined, undefined],
    )
  })

  test("many lists at once do not disturb one another", async () => {
    await fill(store.kv, ["n"], 300)
    const lists = upTo(20).map((at) =>
      valuesOf(store.kv, ["n"], { batchSize: 7 + at, reverse: at % 2 === 1 }),
    )
    for (const [at, values] of (await Promise.all(lists)).entries()) {
      assert.deepEqual(at % 2 === 1 ? values.toReversed() : values, upTo(300))
    }
  })

  test("writes during a list: each key at most once, and every key that exists all the time", async () => {
    await fill(store.kv, ["n"], 100)
    const seen = []
    for await (const { key } of store.kv.list(["n"], { batchSize: 5 })) {
      const at = key[1]
      seen.push(at)
      if (!Number.isInteger(at)) continue
      await store.kv.set(["n", at], "rewritten")
      await store.kv.set(["n", at + 0.5], "added")
      if (at % 10 === 3) await store.kv.delete(["n", at - 1])
    }
    assert.equal(new Set(seen).size, seen.length)
    assert.deepEqual(
      seen,
      [...seen].sort((a, b) => a - b),
    )
    assert.deepEqual(seen.filter(Number.isInteger), upTo(100))
  })

  test("paginate gives every entry once, and says where it ends", async () => {
    await fill(store.kv, ["n"])
    for (const limit of [1, 4, 5, 24, 25, 26]) {
      for (const reverse of [false, true]) {
        const values = []
        let cursor = null
        do {
          const page = await store.kv.paginate(["n"], { limit, reverse, cursor })
          values.push(...page.entries.map((entry) => entry.value))
          assert.equal(page.hasMore, page.cursor !== null)
          assert.equal(page.hasMore, values.length < COUNT)
          cursor = page.cursor
        } while (cursor !== null)
        assert.deepEqual(values, reverse ? upTo(COUNT).toReversed() : upTo(COUNT))
      }
    }
  })

  test("paginate has 100 entries a page by default, and takes 1000", async () => {
    await fill(store.kv, ["n"], 1001)
    assert.equal((await store.kv.paginate(["n"])).entries.length, 100)
    assert.equal((await store.kv.paginate(["n"], { limit: 1000 })).entries.length, 1000)
    const range = { prefix: ["n"], start: ["n", 900] }
    assert.equal((await store.kv.paginate(range, { limit: 1000 })).entries.length, 101)
  })

  test("an empty page", async () => {
    assert.deepEqual(await store.kv.paginate(["none"]), { entries: [], cursor: null, hasMore: false })
  })

  test("cursors of lists and of pages are the same", async () => {
    await fill(store.kv, ["n"])
    const page = await store.kv.paginate(["n"], { limit: 7 })
    assert.deepEqual(await valuesOf(store.kv, ["n"], { cursor: page.cursor }), upTo(COUNT - 7, 7))
    const iterator = store.kv.list(["n"])
    await take(iterator, 3)
    const next = await store.kv.paginate(["n"], { cursor: iterator.cursor })
    assert.deepEqual(
      next.entries.map(({ value }) => value),
      upTo(COUNT - 3, 3),
    )
  })
}
