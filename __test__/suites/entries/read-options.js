import assert from "node:assert/strict"
import { test } from "node:test"
import { encodeKey } from "../../../dist/testing.js"
import { collect, keysOf, refused, valuesOf } from "../../support/assert.js"
import { Random } from "../../support/random.js"
import { T0, useStore } from "../../support/store.js"

const seed = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const LARGE = "x".repeat(300 * 1024)

/** `keysOnly`, `after` and bounds of bytes, in every call that has them. */
export function readOptions(target) {
  const store = useStore(target)

  const without = ({ value: _, ...entry }) => entry

  test("keysOnly gives the same entries without a value, absent ones too", async () => {
    const { kv } = store
    store.at(T0)
    await kv.set(["a", 1], LARGE, { expiresIn: 1000 })
    await kv.set(["a", 2], new Map([[1, 2n]]))
    await kv.atomic().set(["a", 3], null).set(["a", 4n], Uint8Array.of(1)).commit()
    await kv.set(["a", 5], 1, { expiresIn: 1 })
    store.at(T0 + 1)
    const keys = [["a", 4n], ["a", 1], ["none"], ["a", 3], ["a", 5], ["a", 2], ["a", 1]]
    const expected = (await kv.getMany(keys)).map(without)
    assert.equal(expected.filter(({ versionstamp }) => versionstamp === null).length, 2)
    assert.deepEqual(await kv.getMany(keys, { keysOnly: true }), expected)
    assert.deepEqual(await kv.get(keys, { keysOnly: true }), expected)
    if (target.syncReads) assert.deepEqual(kv.getManySync(keys, { keysOnly: true }), expected)
    assert.deepEqual(await kv.getMany([], { keysOnly: true }), [])
    const page = await kv.paginate(["a"])
    const listed = page.entries.map(without)
    assert.deepEqual(await kv.paginate(["a"], { keysOnly: true }), { ...page, entries: listed })
    assert.deepEqual(await collect(kv.list(["a"], { keysOnly: true })), listed)
    const [first, second] = [await kv.paginate(["a"], { keysOnly: true, limit: 2 }), listed.slice(2)]
    assert.deepEqual(first.entries, listed.slice(0, 2))
    const rest = await kv.paginate(["a"], { keysOnly: true, cursor: first.cursor })
    assert.deepEqual(rest.entries, second)
  })

  // Seen to fail: with the keys that are read without values in the batch of those with them.
  test("gets with and without values in one tick are each answered as asked", async () => {
    const { kv } = store
    await kv.set(["a"], "value")
    const [keys, entries, one] = await Promise.all([
      kv.getMany([["a"]], { keysOnly: true }),
      kv.getMany([["a"]]),
      kv.get(["a"]),
    ])
    assert.deepEqual([keys, entries], [[without(one)], [one]])
  })

  test("keysOnly of 1000 large values, and of what closes meanwhile", async () => {
    const { kv } = store
    const keys = Array.from({ length: 1000 }, (_, at) => ["n", at])
    await kv.setMany(keys.map((key) => ({ key, value: "x".repeat(2000) })))
    const reading = kv.getMany(keys, { keysOnly: true })
    const last = kv.getMany(keys.slice(0, 2), { keysOnly: true })
    await kv.close()
    assert.equal((await reading).filter((entry) => typeof entry.versionstamp === "string").length, 1000)
    assert.equal((await last).length, 2)
  })

  async function fill() {
    const keys = [["n"], ["n", 1], ["n", 1, 1], ["n", 2], ["n", 4], ["n", 4, "x"], ["n", 5], ["o"]]
    await store.kv.setMany(keys.map((key) => ({ key, value: key.join("/") })))
    return keys
  }

  test("after begins behind a key, in both directions, whether there is an entry or not", async () => {
    await fill()
    const { kv } = store
    for (const [after, behind, before] of [
      [
        ["n", 2],
        ["n/4", "n/4/x", "n/5"],
        ["n/1/1", "n/1"],
      ],
      [
        ["n", 3],
        ["n/4", "n/4/x", "n/5"],
        ["n/2", "n/1/1", "n/1"],
      ],
      [["n", 1], ["n/1/1", "n/2", "n/4", "n/4/x", "n/5"], []],
      [["n"], ["n/1", "n/1/1", "n/2", "n/4", "n/4/x", "n/5"], []],
      [["n", 5], [], ["n/4/x", "n/4", "n/2", "n/1/1", "n/1"]],
      [["n", "z"], ["n/1", "n/1/1", "n/2", "n/4", "n/4/x", "n/5"], []],
    ]) {
      for (const form of [after, encodeKey(after)]) {
        for (const options of [{}, { batchSize: 1 }, { keysOnly: true }]) {
          const given = { after: form, ...options }
          const texts = async (reverse) =>
            (await keysOf(kv, ["n"], { ...given, reverse })).map((key) => key.join("/"))
          assert.deepEqual(await texts(false), behind)
          assert.deepEqual(await texts(true), before)
        }
        const { entries } = await kv.paginate(["n"], { after: form, limit: 2 })
        assert.deepEqual(
          entries.map(({ value }) => value),
          behind.slice(0, 2),
        )
      }
    }
  })

  test("after narrows a range that start, end and a cursor bound, and never widens it", async () => {
    await fill()
    const { kv } = store
    const range = { start: ["n", 2], end: ["n", 5] }
    const all = ["n/2", "n/4", "n/4/x"]
    for (const [after, behind, before] of [
      [["n", 1], all, []],
      [["n", 2], all.slice(1), []],
      [["n", 4], ["n/4/x"], ["n/2"]],
      [["n", 9], [], all.toReversed()],
    ]) {
      assert.deepEqual(await valuesOf(kv, ["n"], { ...range, after }), behind)
      assert.deepEqual(await valuesOf(kv, ["n"], { ...range, after, reverse: true }), before)
    }
    const paged = []
    for (let cursor = ""; cursor !== null; ) {
      const page = await kv.paginate(["n"], { after: ["n", 1], limit: 2, cursor })
      paged.push(...page.entries.map(({ value }) => value))
      cursor = page.cursor
    }
    assert.deepEqual(paged, ["n/1/1", "n/2", "n/4", "n/4/x", "n/5"])
    const list = kv.list(["n"], { after: ["n", 1], limit: 1 })
    await collect(list)
    assert.deepEqual(await valuesOf(kv, ["n"], { after: ["n", 1], cursor: list.cursor }), paged.slice(1))
  })

  test("after with a filter, with an index and without", async () => {
    const { kv } = store
    await kv.setMany(Array.from({ length: 50 }, (_, at) => ({ key: ["f", at], value: { n: at % 5 } })))
    for (const indexed of [false, true]) {
      if (indexed) await kv.createIndex(["f"], { on: ["n"] })
      const keys = await keysOf(kv, ["f"], { where: { n: 3 }, after: ["f", 28] })
      assert.deepEqual(
        keys,
        [33, 38, 43, 48].map((at) => ["f", at]),
      )
      const reverse = await keysOf(kv, ["f"], { where: { n: 3 }, after: ["f", 13], reverse: true })
      assert.deepEqual(
        reverse,
        [8, 3].map((at) => ["f", at]),
      )
    }
  })

  test("bounds of bytes mean what is between encoded keys, at random", async () => {
    const { kv } = store
    const keys = await fill()
    const random = new Random(seed)
    const compare = (a, b) => Buffer.compare(a, b)
    const encoded = keys.map((key) => Buffer.from(encodeKey(key))).sort(compare)
    const bytes = () => {
      const from = encoded[random.int(encoded.length)]
      const cut = from.subarray(0, random.int(from.length + 1))
      return random.int(2) ? Uint8Array.from([...cut, random.int(256)]) : Uint8Array.from(cut)
    }
    const texts = async (options) =>
      (await keysOf(kv, { prefix: [] }, options)).map((key) => Buffer.from(encodeKey(key)).toString("hex"))
    const hex = (list) => list.map((key) => key.toString("hex"))
    for (let run = 0; run < 60; run++) {
      const [after, [start, end]] = [bytes(), [bytes(), bytes()].sort(compare)]
      const within = encoded.filter((key) => compare(key, start) >= 0 && compare(key, end) < 0)
      const said = `KEYVAL_SEED=${seed}`
      assert.deepEqual(await texts({ start, end }), hex(within), said)
      assert.equal(await kv.count({ start, end }), within.length, said)
      const behind = within.filter((key) => compare(key, after) > 0)
      assert.deepEqual(await texts({ start, end, after }), hex(behind), said)
      const before = within.filter((key) => compare(key, after) < 0).toReversed()
      assert.deepEqual(await texts({ start, end, after, reverse: true }), hex(before), said)
    }
    const own = Uint8Array.from(encodeKey(["n", 4]))
    const list = kv.list(["n"], { after: own })
    own.fill(0)
    assert.deepEqual(
      (await collect(list)).map(({ value }) => value),
      ["n/4/x", "n/5"],
    )
  })

  test("a bound that is not under the prefix is refused by name", async () => {
    const { kv } = store
    for (const after of [["m"], ["o", 1], [], encodeKey(["m"]), new Uint8Array(0)])
      for (const call of [() => kv.list(["n"], { after }), () => kv.paginate(["n"], { after })])
        await refused(call, "INVALID_ARGUMENT", /^after: .*prefix/)
    await refused(() => kv.list(["n"], { start: encodeKey(["m"]) }), "INVALID_ARGUMENT", /^start: .*prefix/)
    assert.deepEqual(await keysOf(kv, { prefix: [] }, { after: [] }), [])
  })
}
