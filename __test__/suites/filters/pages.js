import assert from "node:assert/strict"
import { test } from "node:test"
import { collect, keysOf, refused, valuesOf } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

const COUNT = 100
/** More than a filtered list looks at in one piece (`MAX_FILTERED_ROWS`). */
const MANY = 25_000
const where = { n: { $in: [0, 3, 4, 50, 51, 52, 53, 98] } }
const MATCHES = where.n.$in
const NONE = { n: -1 }

const upTo = (count) => Array.from({ length: count }, (_, at) => at)
const numbers = (entries) => entries.map(({ value }) => value.n)

async function fill(kv, count = COUNT) {
  await kv.setMany(upTo(count).map((n) => ({ key: ["n", n], value: { n, even: n % 2 === 0 } })))
}

/** Every page to the end; each but the last is full, and says that there is more. */
async function pagesOf(kv, options) {
  const pages = []
  let cursor = null
  do {
    const page = await kv.paginate(["n"], { ...options, cursor })
    assert.equal(page.hasMore, page.cursor !== null)
    if (page.hasMore) assert.equal(page.entries.length, options.limit)
    pages.push(page.entries)
    cursor = page.cursor
  } while (cursor !== null)
  return pages
}

/** Filters in `list`, `paginate` and `count`. */
export function wherePages(target) {
  const store = useStore(target)

  for (const reverse of [false, true]) {
    const way = reverse ? "backwards" : "forwards"
    const expected = reverse ? MATCHES.toReversed() : MATCHES

    test(`limit counts matches, ${way}`, async () => {
      await fill(store.kv)
      for (const limit of [1, 2, 7, 8, 9, 1000])
        for (const batchSize of [1, 3, 500]) {
          const entries = await valuesOf(store.kv, ["n"], { where, reverse, limit, batchSize })
          assert.deepEqual(
            entries.map(({ n }) => n),
            expected.slice(0, limit),
          )
        }
    })

    test(`all pages together are the list, and no page is empty, ${way}`, async () => {
      await fill(store.kv)
      for (const limit of [1, 2, 4, 7, 8, 9]) {
        const pages = await pagesOf(store.kv, { where, reverse, limit })
        assert.deepEqual(numbers(pages.flat()), expected)
        assert.equal(pages.length, Math.ceil(MATCHES.length / limit), `pages of ${limit}`)
      }
      assert.deepEqual(await pagesOf(store.kv, { where: NONE, reverse, limit: 2 }), [[]])
    })

    test(`a list goes on from its cursor, at every match, ${way}`, async () => {
      await fill(store.kv)
      const iterator = store.kv.list(["n"], { where, reverse, batchSize: 3 })
      assert.equal(iterator.cursor, "")
      for (let at = 1; at <= MATCHES.length; at++) {
        await iterator.next()
        const { cursor } = iterator
        const rest = await valuesOf(store.kv, ["n"], { where, reverse, cursor })
        assert.deepEqual(
          rest.map(({ n }) => n),
          expected.slice(at),
        )
        const page = await store.kv.paginate(["n"], { where, reverse, cursor, limit: 2 })
        assert.deepEqual(numbers(page.entries), expected.slice(at, at + 2))
        // A cursor is a place: it also goes with another filter, or none.
        const all = await valuesOf(store.kv, ["n"], { reverse, cursor })
        assert.equal(all.length, reverse ? expected[at - 1] : COUNT - 1 - expected[at - 1])
      }
      assert.deepEqual(await iterator.next(), { done: true, value: undefined })
    })

    test(`one match behind ${MANY} others, ${way}`, async () => {
      const { kv } = store
      const at = reverse ? -1 : MANY
      await kv.setMany(upTo(MANY).map((n) => ({ key: ["n", n], value: n })))
      await kv.set(["n", at], { late: true })
      const late = { late: true }
      for (const options of [{}, { limit: 1 }, { limit: 5, batchSize: 1 }, { keysOnly: true }])
        assert.deepEqual(await keysOf(kv, ["n"], { where: late, reverse, ...options }), [["n", at]])
      assert.equal(await kv.count(["n"], { where: late }), 1)
      for (const limit of [1, 7]) {
        const page = await kv.paginate(["n"], { where: late, reverse, limit })
        assert.deepEqual([page.entries.length, page.hasMore, page.cursor], [1, false, null])
      }
      assert.deepEqual(await collect(kv.list(["n"], { where: { late: false }, reverse })), [])
      assert.equal((await kv.delete({ prefix: ["n"] }, { where: late })).deletedCount, 1)
      assert.equal(await kv.count(["n"]), MANY)
    })

    test(`one match before ${MANY} others is the only page, ${way}`, async () => {
      const { kv } = store
      const at = reverse ? MANY : -1
      await kv.setMany(upTo(MANY).map((n) => ({ key: ["n", n], value: n })))
      await kv.set(["n", at], { early: true })
      const page = await kv.paginate(["n"], { where: { early: true }, reverse, limit: 1 })
      assert.deepEqual([page.entries.length, page.hasMore, page.cursor], [1, false, null])
    })
  }

  test("prefixes, ranges and descendants are as without a filter", async () => {
    await fill(store.kv)
    await store.kv.setMany([
      { key: ["n"], value: { n: 3 } },
      { key: ["n", 3, "below"], value: { n: 3 } },
      { key: ["n2"], value: { n: 3 } },
    ])
    const three = { n: 3 }
    const keys = (selector, options) => keysOf(store.kv, selector, { where: three, ...options })
    assert.deepEqual(await keys(["n"]), [
      ["n", 3],
      ["n", 3, "below"],
    ])
    assert.deepEqual(await keys({ prefix: [] }), [["n"], ["n", 3], ["n", 3, "below"], ["n2"]])
    assert.deepEqual(await keys({ start: ["n", 3], end: ["n", 4] }), [
      ["n", 3],
      ["n", 3, "below"],
    ])
    assert.deepEqual(await keys(["n"], { start: ["n", 4] }), [])
    assert.equal(await store.kv.count({ start: ["n"], end: ["n", 3, "below"] }, { where: three }), 2)
  })

  test("count is the length of the list, and keysOnly gives the same keys without values", async () => {
    await fill(store.kv)
    for (const filter of [where, NONE, { even: true }, { n: { $gte: 0 } }]) {
      const entries = await collect(store.kv.list(["n"], { where: filter }))
      assert.equal(await store.kv.count(["n"], { where: filter }), entries.length)
      const bare = await collect(store.kv.list(["n"], { where: filter, keysOnly: true }))
      assert.deepEqual(
        bare,
        entries.map(({ value, ...rest }) => rest),
      )
      assert.ok(bare.every((entry) => !("value" in entry)))
    }
  })

  test("undefined is no filter", async () => {
    await fill(store.kv)
    const none = { where: undefined }
    assert.equal((await collect(store.kv.list(["n"], none))).length, COUNT)
    assert.equal((await store.kv.paginate(["n"], none)).entries.length, 100)
    assert.equal(await store.kv.count(["n"], none), COUNT)
    assert.equal((await store.kv.delete({ prefix: ["n"] }, none)).deletedCount, COUNT)
  })

  test("leaving a list early ends it", async () => {
    await fill(store.kv)
    const iterator = store.kv.list(["n"], { where, batchSize: 2 })
    for await (const { value } of iterator) if (value.n === 3) break
    assert.deepEqual(await iterator.next(), { done: true, value: undefined })
    assert.equal(await store.kv.count(["n"], { where }), MATCHES.length)
  })

  test("matches are given whole, of any size and in their order", async () => {
    const sizes = [10, 300_000, 10, 100_000, 10, 2_000_000]
    await store.kv.setMany(
      sizes.map((size, n) => ({ key: ["n", n], value: { keep: true, text: "x".repeat(size) } })),
    )
    for (const reverse of [false, true]) {
      const expected = reverse ? sizes.toReversed() : sizes
      const entries = await valuesOf(store.kv, ["n"], { where: { keep: true }, reverse })
      assert.deepEqual(
        entries.map(({ text }) => text.length),
        expected,
      )
      const pages = await pagesOf(store.kv, { where: { keep: true }, reverse, limit: 4 })
      assert.deepEqual(
        pages.map((page) => page.length),
        [4, 2],
      )
    }
  })

  test("an expired entry never matches", async () => {
    const { kv } = store
    store.at(T0)
    await kv.setMany(upTo(10).map((n) => ({ key: ["n", n], value: { n }, ...(n % 2 && { expiresIn: 10 }) })))
    const all = { n: { $gte: 0 } }
    assert.equal(await kv.count(["n"], { where: all }), 10)
    store.at(T0 + 10)
    const even = [0, 2, 4, 6, 8]
    assert.equal(await kv.count(["n"], { where: all }), 5)
    assert.deepEqual(numbers((await kv.paginate(["n"], { where: all, limit: 5 })).entries), even)
    assert.equal((await kv.paginate(["n"], { where: all, limit: 5 })).hasMore, false)
    assert.deepEqual(numbers(await collect(kv.list(["n"], { where: { n: { $ne: 0 } } }))), even.slice(1))
    assert.equal((await kv.delete({ prefix: ["n"] }, { where: { n: { $lt: 6 } } })).deletedCount, 3)
  })

  test("a filtered list goes on while others write", async () => {
    const { kv } = store
    await fill(kv, 2000)
    const seen = []
    for await (const { key, value } of kv.list(["n"], { where: { even: true }, batchSize: 10 })) {
      seen.push(value.n)
      if (value.n % 100 !== 0) continue
      await Promise.all([
        kv.delete(key),
        kv.set(["n", value.n + 0.5], { n: -1, even: false }),
        kv.set(["n", value.n + 1], { n: value.n + 1, even: false }),
        kv.set(["m", value.n], { even: true }),
      ])
    }
    assert.deepEqual(
      seen,
      upTo(1000).map((at) => 2 * at),
    )
    const kept = await kv.count(["n"], { where: { even: true } })
    assert.equal(kept, 980)
  })

  test("a filtered count is one snapshot", async () => {
    const { kv } = store
    await fill(kv, 1000)
    const counts = []
    for (let at = 0; at < 30; at++) {
      const flag = (place, on) => [["n", (place * 37) % 1000], { flag: on }]
      const commit = kv.atomic().set(...flag(at, true))
      if (at > 0) commit.set(...flag(at - 1, false))
      counts.push(kv.count(["n"], { where: { flag: true } }))
      await commit.commit()
      counts.push(kv.count(["n"], { where: { flag: true } }))
    }
    assert.deepEqual([...new Set((await Promise.all(counts)).slice(1))], [1])
  })

  test("the filter is read when it is given", async () => {
    await fill(store.kv)
    const mine = { n: { $in: [1, 2] } }
    const iterator = store.kv.list(["n"], { where: mine })
    mine.n.$in.push(3)
    mine.n = 5
    assert.deepEqual(numbers(await collect(iterator)), [1, 2])
  })

  test("closing cuts a filtered read as any other", async () => {
    await fill(store.kv)
    const iterator = store.kv.list(["n"], { where, batchSize: 1 })
    await iterator.next()
    await store.kv.close()
    await assert.rejects(iterator.next(), { code: "CLOSED" })
    await refused(() => store.kv.count(["n"], { where }), "CLOSED")
  })
}
