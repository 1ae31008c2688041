import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { collect, keysOf } from "../../support/assert.js"
import { closeKey } from "../../support/models/arbitrary-keys.js"
import { compareKeys, isUnder, selects } from "../../support/models/key-order.js"
import { useStore } from "../../support/store.js"

const RUNS = Number(process.env.KEYVAL_RUNS ?? 60)

function unique(keys) {
  const sorted = [...keys].sort(compareKeys)
  return sorted.filter((key, at) => at === 0 || compareKeys(sorted[at - 1], key) !== 0)
}

/** Keys, and a prefix that is often a key or the beginning of one. */
const keysAndPrefix = fc.array(closeKey, { minLength: 1, maxLength: 25 }).chain((keys) =>
  fc.record({
    keys: fc.constant(unique(keys)),
    prefix: fc.oneof(
      fc.tuple(fc.constantFrom(...keys), fc.nat(4)).map(([key, length]) => key.slice(0, length)),
      closeKey,
    ),
    others: fc.array(fc.constantFrom(...keys), { maxLength: 3 }),
  }),
)

async function pages(kv, selector, options) {
  const entries = []
  let cursor = null
  do {
    const page = await kv.paginate(selector, { ...options, cursor })
    entries.push(...page.entries)
    cursor = page.cursor
  } while (cursor !== null)
  return entries.map(({ key }) => key)
}

/**
 * Law 6: no operation under `["t", "1"]` sees or touches `["t", "10"]`.
 * Seen to fail: make the end of a prefix `k ‖ 00 … k ‖ ff` without the terminator of a string, or compare
 * `>= k`.
 */
export function prefixIsolation(target) {
  const store = useStore(target)

  async function fill(keys) {
    await store.kv.delete({ prefix: [] })
    await store.kv.setMany(keys.map((key, at) => ({ key, value: at })))
  }

  /** What is left after a call, which must be exactly the keys that it does not take. */
  async function leaves(keys, call, takes) {
    await fill(keys)
    const before = await collect(store.kv.list({ prefix: [] }))
    const count = await call()
    const expected = before.filter(({ key }) => !takes(key))
    assert.deepEqual(await collect(store.kv.list({ prefix: [] })), expected)
    assert.equal(count, keys.length - expected.length)
  }

  test('a tenant "1" and a tenant "10"', async () => {
    const tenants = ["1", "10", "1\0", "", 1, 10, 1n, true, Uint8Array.of(0x31), Uint8Array.of(0x31, 0x30)]
    const keys = tenants.flatMap((tenant) => [
      ["t", tenant],
      ["t", tenant, "x"],
      ["t", tenant, "y", 1],
    ])
    for (const tenant of tenants) {
      const prefix = ["t", tenant]
      await fill(keys)
      const own = [
        ["t", tenant, "x"],
        ["t", tenant, "y", 1],
      ]
      assert.deepEqual(await keysOf(store.kv, prefix), own)
      assert.equal(await store.kv.count(prefix), 2)
      const takes = (key) => compareKeys(key.slice(0, 2), prefix) === 0
      await leaves(keys, async () => (await store.kv.delete(prefix)).deletedCount, takes)
    }
  })

  test("random keys: list, count and paginate show the descendants and nothing else", async () => {
    const check = async ({ keys, prefix }) => {
      await fill(keys)
      const expected = keys.filter((key) => isUnder(prefix, key))
      for (const selector of [prefix, { prefix }]) {
        assert.deepEqual(await keysOf(store.kv, selector), expected)
        assert.deepEqual(await keysOf(store.kv, selector, { batchSize: 2 }), expected)
        assert.deepEqual(
          await keysOf(store.kv, selector, { reverse: true, batchSize: 3 }),
          expected.toReversed(),
        )
        assert.deepEqual(await keysOf(store.kv, selector, { keysOnly: true }), expected)
        assert.equal(await store.kv.count(selector), expected.length)
        assert.deepEqual(await pages(store.kv, selector, { limit: 3 }), expected)
        assert.deepEqual(await pages(store.kv, selector, { limit: 2, reverse: true }), expected.toReversed())
      }
    }
    await fc.assert(fc.asyncProperty(keysAndPrefix, check), { numRuns: RUNS })
  })

  test("random keys: ranges show what lies in them and nothing else", async () => {
    const range = fc.tuple(fc.array(closeKey, { minLength: 1, maxLength: 25 }), closeKey, closeKey)
    const check = async ([keys, ...bounds]) => {
      const [start, end] = bounds.sort(compareKeys)
      const sorted = unique(keys)
      await fill(sorted)
      for (const selector of [{ start }, { end }, { start, end }]) {
        const expected = sorted.filter((key) => selects(selector, key))
        assert.deepEqual(await keysOf(store.kv, selector), expected)
        assert.equal(await store.kv.count(selector), expected.length)
      }
    }
    await fc.assert(fc.asyncProperty(range, check), { numRuns: RUNS })
  })

  test("random keys: delete takes the key and its descendants and nothing else", async () => {
    const check = async ({ keys, prefix, others }) => {
      const deleted = (target, options) => async () => (await store.kv.delete(target, options)).deletedCount
      const same = (a, b) => compareKeys(a, b) === 0
      await leaves(keys, deleted({ prefix }), (key) => isUnder(prefix, key))
      const atomic = async () => (await store.kv.atomic().delete({ prefix }).commit()).results[0]
      await leaves(keys, atomic, (key) => isUnder(prefix, key))
      if (prefix.length > 0) {
        const list = [prefix, ...others]
        await leaves(keys, deleted(prefix), (key) => same(prefix, key) || isUnder(prefix, key))
        await leaves(keys, deleted(prefix, { exact: true }), (key) => same(prefix, key))
        await leaves(keys, deleted(list), (key) => list.some((one) => same(one, key) || isUnder(one, key)))
        await leaves(keys, deleted(list, { exact: true }), (key) => list.some((one) => same(one, key)))
      }
    }
    await fc.assert(fc.asyncProperty(keysAndPrefix, check), { numRuns: RUNS })
  })
}
