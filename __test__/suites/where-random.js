import assert from "node:assert/strict"
import { test } from "node:test"
import { inspect } from "node:util"
import { Random } from "../support/random.js"
import { useStore } from "../support/store.js"
import { matches } from "../support/where-oracle.js"
import { Filters, randomValue, T } from "../support/where-random.js"

const FILTERS = Number(process.env.KEYVAL_RUNS ?? 240)
const FILTERS_A_ROUND = 60
const VALUES = 60
const OPERATORS = 24
const seed = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))

/**
 * Law 7: a filter means what `support/where-oracle.js` says, on random values. `KEYVAL_RUNS`: how many filters, each on 60
 * values. Seen to fail, in every other run: compare bigints with numbers as doubles; let a tag be looked into.
 */
export function whereRandom(target) {
  const store = useStore(target)

  test(`${FILTERS} random filters on ${VALUES} random values`, async (t) => {
    const random = new Random(seed)
    const seen = { pairs: 0, matched: 0, used: new Set() }
    for (let left = FILTERS; left > 0; left -= FILTERS_A_ROUND)
      await round(store, random, Math.min(left, FILTERS_A_ROUND), seen)
    t.diagnostic(`${seen.pairs} pairs, ${seen.matched} matched`)
    assert.equal(seen.used.size, OPERATORS, `not every operator: KEYVAL_SEED=${seed}`)
    assert.ok(
      seen.matched > seen.pairs * 0.1 && seen.matched < seen.pairs * 0.9,
      `vacuous: KEYVAL_SEED=${seed}`,
    )
  })
}

async function round(store, random, count, seen) {
  store.at(T)
  const { kv } = store
  const values = random.many(VALUES, () => randomValue(random))
  await kv.setMany(values.map((value, at) => ({ key: [at], value })))
  const times = new Map()
  const filters = new Filters(random, values, (offsetMs) => {
    const now = offsetMs < 0 ? kv.now().sub(-offsetMs) : offsetMs > 0 ? kv.now().add(offsetMs) : kv.now()
    times.set(now, T + offsetMs)
    return now
  })
  for (let made = 0; made < count; made++) {
    const where = filters.filter()
    const expected = [...values.keys()].filter((at) =>
      matches(where, values[at], (value) => times.get(value)),
    )
    const found = new Set()
    for await (const { key } of kv.list({ prefix: [] }, { where, keysOnly: true })) found.add(key[0])
    const wrong = [...values.keys()].find((at) => found.has(at) !== expected.includes(at))
    if (wrong !== undefined) {
      const [filter, value] = [where, values[wrong]].map((one) => inspect(one, { depth: 20 }))
      assert.fail(`KEYVAL_SEED=${seed}: matches: ${found.has(wrong)}\nfilter: ${filter}\nvalue: ${value}`)
    }
    seen.pairs += values.length
    seen.matched += expected.length
  }
  for (const name of filters.used) seen.used.add(name)
}
