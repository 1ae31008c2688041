import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { inspect } from "node:util"
import { KvU64 } from "@buntime/keyval"
import fc from "fast-check"
import { collect, refused } from "../../support/assert.js"
import { spelled } from "../../support/models/filter-oracle.js"
import { randomValue } from "../../support/models/random-filters.js"
import { Random } from "../../support/random.js"
import { T0, useStore } from "../../support/store.js"

/** RFC 7396 as its pseudo-code has it. */
function byTheBook(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch
  const merged = target === null || typeof target !== "object" || Array.isArray(target) ? {} : { ...target }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name]
    else merged[name] = byTheBook(merged[name] ?? null, value)
  }
  return merged
}

const isPlain = (value) => value instanceof Object && Object.getPrototypeOf(value) === Object.prototype

/** The same for values of every kind; a member that is undefined changes nothing. */
function merged(target, change) {
  if (!isPlain(change)) return change
  const members = new Map(isPlain(target) ? Object.entries(target) : [])
  for (const [name, one] of Object.entries(change)) {
    if (one === null) members.delete(name)
    else if (one !== undefined) members.set(name, merged(members.get(name), one))
  }
  return Object.fromEntries(members)
}

export function patch(target) {
  const store = useStore(target)
  const key = ["doc"]
  const value = async () => (await store.kv.get(key)).value

  describe("patch", () => {
    test("writes, removes and merges members, and leaves the others as they are", async () => {
      await store.kv.set(key, { title: "a", author: { name: "Ada", mail: "x" }, tags: [1, 2], n: 5n })
      const result = await store.kv.patch(key, { title: "b", author: { mail: null }, tags: [3] })
      assert.equal(result.ok, true)
      const entry = await store.kv.get(key)
      assert.deepEqual(entry.value, { title: "b", author: { name: "Ada" }, tags: [3], n: 5n })
      assert.equal(entry.versionstamp, result.versionstamp)
    })

    test("creates a missing value, without the nulls", async () => {
      await store.kv.patch(key, { a: { b: null, c: 1 }, d: null })
      assert.deepEqual(await value(), { a: { c: 1 } })
    })

    test("a value that is no plain object is replaced, and a patch that is none replaces", async () => {
      for (const stored of [
        "text",
        [1],
        5,
        null,
        new Date(5),
        new Map([[1, 2]]),
        Uint8Array.of(1),
        new KvU64(1n),
      ]) {
        await store.kv.set(key, stored)
        await store.kv.patch(key, { a: 1 })
        assert.deepEqual(await value(), { a: 1 })
        await store.kv.patch(key, stored)
        assert.deepEqual(await value(), stored)
      }
    })

    test("values of every kind are members like any other", async () => {
      const kinds = {
        at: new Date(5),
        big: 2n ** 70n,
        not: Number.NaN,
        map: new Map([[1n, "x"]]),
        bytes: Uint8Array.of(1),
      }
      await store.kv.set(key, { ...kinds, own: { __type: "mine", x: 1 } })
      await store.kv.patch(key, { own: { x: 2 }, more: { __type: "other" } })
      assert.deepEqual(await value(), { ...kinds, own: { __type: "mine", x: 2 }, more: { __type: "other" } })
      await store.kv.patch(key, { at: { year: 1 }, map: null })
      const { map, ...left } = kinds
      assert.deepEqual(await value(), {
        ...left,
        at: { year: 1 },
        own: { __type: "mine", x: 2 },
        more: { __type: "other" },
      })
    })

    test("undefined changes nothing", async () => {
      await store.kv.set(key, { a: 1, b: { c: 2 } })
      await store.kv.patch(key, { a: undefined, b: { c: undefined, d: 3 }, e: undefined })
      assert.deepEqual(await value(), { a: 1, b: { c: 2, d: 3 } })
    })

    test("names of every kind", async () => {
      const stored = { "": 1, 'qu"ote': 2, "back\\slash": 3, "\ud83d\ude00": 4, "\ud800": 5, __proto__x: 6 }
      await store.kv.set(key, stored)
      await store.kv.patch(key, { 'qu"ote': null, "\ud83d\ude00": { a: 1 }, "\ud800": null, "": 0 })
      assert.deepEqual(await value(), { "": 0, "back\\slash": 3, "\ud83d\ude00": { a: 1 }, __proto__x: 6 })
    })

    test("with a versionstamp only if the entry stands at it", async () => {
      assert.equal((await store.kv.patch(key, { a: 1 }, { versionstamp: null })).ok, true)
      const { versionstamp } = await store.kv.get(key)
      const taken = await store.kv.patch(key, { a: 2 }, { versionstamp: null })
      assert.deepEqual(taken, { ok: false, conflicts: [{ key, versionstamp }] })
      assert.equal((await store.kv.patch(key, { a: 3 }, { versionstamp })).ok, true)
      assert.equal((await store.kv.patch(key, { a: 4 }, { versionstamp })).ok, false)
      assert.deepEqual(await value(), { a: 3 })
    })

    test("keeps a time to live, unless it is given one", async () => {
      store.at(T0)
      await store.kv.set(key, { a: 1 }, { expiresIn: 1000 })
      await store.kv.patch(key, { b: 2 })
      assert.equal((await store.kv.get(key)).expiresAt, T0 + 1000)
      await store.kv.patch(key, { b: 3 }, { expiresIn: 5000 })
      assert.equal((await store.kv.get(key)).expiresAt, T0 + 5000)
      store.at(T0 + 5000)
      await store.kv.patch(key, { c: 1 })
      assert.deepEqual(await store.kv.get(key).then(({ value, expiresAt }) => [value, expiresAt]), [
        { c: 1 },
        undefined,
      ])
    })

    test("in atomic(): with others, in order, all or nothing", async () => {
      await store.kv.set(["text"], "x")
      const commit = await store.kv
        .atomic()
        .set(key, { a: 1 })
        .patch(key, { b: 2 })
        .mutate({ type: "patch", key, value: { a: null } })
        .commit()
      assert.deepEqual(commit.results, [undefined, undefined, undefined])
      assert.deepEqual(await value(), { b: 2 })
      await refused(
        () => store.kv.atomic().patch(key, { c: 1 }).append(["text"], [1]).commit(),
        "TYPE_MISMATCH",
      )
      assert.deepEqual(await value(), { b: 2 })
    })

    test("in a transaction: its reads see it", async () => {
      await store.kv.set(key, { a: 1, b: { c: 1 } })
      const { value: seen } = await store.kv.transaction(async (tx) => {
        tx.patch(key, { a: null, b: { d: new Date(7), c: undefined } })
        tx.patch(["new"], { x: { y: null } })
        return [(await tx.get(key)).value, (await tx.get(["new"])).value]
      })
      assert.deepEqual(seen, [{ b: { c: 1, d: new Date(7) } }, { x: {} }])
      assert.deepEqual([await value(), (await store.kv.get(["new"])).value], seen)
    })

    test("one change in the log, an update", async () => {
      await store.kv.set(key, { a: 1 })
      await store.kv.patch(key, { a: 2 })
      const changes = await collect(store.kv.changes())
      assert.deepEqual(
        changes.map(({ type }) => type),
        ["create", "update"],
      )
    })

    test("40 at once lose nothing", async () => {
      await Promise.all(Array.from({ length: 40 }, (_, n) => store.kv.patch(key, { [`n${n}`]: n })))
      assert.equal(Object.keys(await value()).length, 40)
    })

    test("refusals write nothing", async () => {
      await store.kv.set(key, { a: 1 })
      await refused(() => store.kv.patch(key, { f() {} }), "INVALID_ARGUMENT", /patch\.f/)
      await refused(() => store.kv.patch(key, undefined), "INVALID_ARGUMENT", /patch/)
      await refused(() => store.kv.patch([], { a: 2 }), "INVALID_ARGUMENT", /key/)
      await refused(
        () => store.kv.patch(key, { a: 2 }, { versionstamp: 5 }),
        "INVALID_ARGUMENT",
        /versionstamp/,
      )
      await refused(
        () => store.kv.patch(key, { a: 2 }, { version: null }),
        "INVALID_ARGUMENT",
        /options\.version/,
      )
      await refused(() => store.kv.patch(key, { a: 2 }, { expiresIn: 0 }), "INVALID_ARGUMENT", /expiresIn/)
      const most = "x".repeat(target.maxValueBytes / 2)
      await store.kv.patch(["large"], { one: most })
      await refused(() => store.kv.patch(["large"], { two: most }), "LIMIT_EXCEEDED", /value/)
      assert.deepEqual(await value(), { a: 1 })
      assert.deepEqual(Object.keys((await store.kv.get(["large"])).value), ["one"])
    })

    test("means the same for values of every kind, in a commit, in atomic() and in a transaction", async () => {
      const random = new Random(Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31)))
      const ways = [
        (change) => store.kv.patch(key, change),
        (change) => store.kv.atomic().patch(key, change).commit(),
        (change) =>
          store.kv.transaction(async (tx) => {
            tx.patch(key, change)
            return (await tx.get(key)).value
          }),
      ]
      for (let run = 0; run < 300; run++) {
        const stored = randomValue(random)
        const change = randomValue(random)
        const expected = merged(stored, change)
        await store.kv.set(key, stored)
        const { value: seen = expected } = await random.pick(ways)(change)
        const [one, two] = [await value(), seen].map((one) => [spelled(one), Object.keys(Object(one))])
        const wanted = [spelled(expected), Object.keys(Object(expected))]
        assert.deepEqual([one, two], [wanted, wanted], inspect({ stored, change }, { depth: 20 }))
      }
    })

    test("means what the RFC says", async () => {
      const json = fc.letrec((tie) => ({
        value: fc.oneof({ maxDepth: 4 }, fc.constantFrom(null, 1, "x", [1, null]), tie("object")),
        object: fc.dictionary(fc.constantFrom("a", "b", "c", "é"), tie("value"), {
          maxKeys: 4,
          noNullPrototype: true,
        }),
      })).value
      await fc.assert(
        fc.asyncProperty(json, json, async (stored, change) => {
          await store.kv.set(key, stored)
          await store.kv.patch(key, change)
          assert.deepEqual(await value(), byTheBook(stored, change))
        }),
        { numRuns: Number(process.env.KEYVAL_RUNS ?? 150) },
      )
    })
  })
}
