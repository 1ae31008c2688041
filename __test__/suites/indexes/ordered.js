import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { collect, keysOf, refused } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

const CITIES = ["Berlin", "Bern", "Paris", "Rome"]

export function orderedIndexes(target) {
  const store = useStore(target)
  const people = (count) =>
    Array.from({ length: count }, (_, n) => ({
      key: ["people", n],
      value: { city: CITIES[n % 4], age: n % 50, active: n % 2 === 0, born: new Date(n * 1000) },
    }))
  const ids = async (where, options) =>
    (await keysOf(store.kv, ["people"], { where, ...options })).map(([, id]) => id)
  const used = async (where) => {
    const { index, rowsRead } = await store.kv.explain(["people"], where)
    return [index?.name ?? null, rowsRead]
  }

  describe("ordered index: the filters that use it", () => {
    test("equal values, ranges, beginnings of strings, in order and in pages", async () => {
      const { kv } = store
      await kv.setMany(people(400))
      const filters = [
        { city: "Bern", age: 41 },
        { city: { $startsWith: "Ber" }, age: { $lt: 3 } },
        { city: { $in: ["Rome", "Oslo"] }, age: { $between: [45, 47n] } },
        { $and: [{ city: "Paris" }, { $or: [{ age: 2 }, { age: 6 }] }] },
        { active: true, age: 4 },
        { born: { $gte: new Date(390_000) } },
        { born: 390_000 },
      ]
      const before = []
      for (const where of filters) before.push(await ids(where))
      await kv.createIndex(["people"], { on: ["city", "age"] })
      await kv.createIndex(["people"], { on: ["active", "age"] })
      await kv.createIndex(["people"], { on: ["born"] })
      for (const [at, where] of filters.entries()) {
        assert.notEqual((await used(where))[0], null, `filter ${at}`)
        assert.deepEqual(await ids(where), before[at])
        assert.deepEqual(await ids(where, { reverse: true }), before[at].toReversed())
        assert.deepEqual(await ids(where, { batchSize: 1, limit: 3 }), before[at].slice(0, 3))
        assert.equal(await kv.count(["people"], { where }), before[at].length)
      }
      assert.deepEqual(await used(filters[0]), ["city,age", before[0].length])
    })

    test("pages of paginate go on where they ended", async () => {
      await store.kv.setMany(people(120))
      await store.kv.createIndex(["people"], { on: ["city"] })
      const where = { city: "Rome" }
      const found = []
      let cursor = null
      do {
        const page = await store.kv.paginate(["people"], { where, limit: 7, cursor })
        found.push(...page.entries.map(({ key }) => key[1]))
        cursor = page.cursor
        assert.equal(page.hasMore, found.length < 30)
      } while (cursor !== null)
      assert.deepEqual(found, await ids(where))
      assert.equal(found.length, 30)
    })

    // Seen to fail: count those alone that are under the prefix. A list of three entries walked the whole
    // index, on the JavaScript thread.
    test("a narrow prefix, where not every field is equal: others that would be walked count too", async () => {
      const { kv } = store
      await kv.createIndex(["posts"], { on: ["at"] })
      await kv.createIndex(["posts"], { on: ["kind", "at"] })
      const others = Array.from({ length: 10_050 }, (_, at) => ({
        key: ["posts", "many", at],
        value: { at, kind: "a" },
      }))
      await kv.setMany(others)
      for (const at of [7, 3, 5]) await kv.set(["posts", "few", at], { at, kind: "a" })
      const few = async (where) => {
        const { index, rowsRead } = await kv.explain(["posts", "few"], where)
        const keys = await keysOf(kv, ["posts", "few"], { where })
        return [index?.name ?? null, rowsRead, keys.map(([, , at]) => at)]
      }
      assert.deepEqual(await few({ at: { $gte: 4 } }), [null, 3, [5, 7]])
      assert.deepEqual(await few({ kind: "a" }), [null, 3, [3, 5, 7]])
      assert.deepEqual(await few({ at: 5 }), ["at", 1, [5]])
      assert.deepEqual(await few({ kind: "a", at: 5 }), ["kind,at", 1, [5]])
      assert.deepEqual(await few({ at: { $lt: 4 } }), ["at", 1, [3]])
      assert.deepEqual(await few({ at: { $in: [3, 7, 8] } }), ["at", 2, [3, 7]])
    })

    // Seen to fail: ask the indexes for the key and what is under it together, which none of them holds.
    test("a delete of a key and what is under it", async () => {
      const { kv } = store
      await kv.setMany(Array.from({ length: 30_000 }, (_, at) => ({ key: ["d", at], value: { at, n: at } })))
      await kv.set(["d"], { at: -1 })
      await kv.createIndex(["d"], { on: ["at"] })
      /** The least of ten: nothing makes a delete faster than it is. */
      const took = async (where) => {
        let least = Infinity
        for (let round = 0; round < 10; round++) {
          const begin = performance.now()
          assert.equal((await kv.delete(["d"], { where })).deletedCount, 0)
          least = Math.min(least, performance.now() - begin)
        }
        return least
      }
      const [read, looked] = [await took({ n: -5 }), await took({ at: -5 })]
      assert.ok(looked * 4 < read, `${looked} ms with the index, ${read} ms without`)
      assert.equal((await kv.delete(["d"], { where: { at: { $lt: 2 } } })).deletedCount, 3)
      assert.equal((await kv.get(["d"])).versionstamp, null)
      assert.equal(await kv.count(["d"]), 29_998)
    })

    test("filters that cannot use it: other fields, $ne, $or at the root, prefixes beside and above it", async () => {
      await store.kv.setMany(people(40))
      await store.kv.createIndex(["people"], { on: ["city", "age"] })
      for (const where of [
        { age: 4 },
        { city: { $ne: "Bern" } },
        { $or: [{ city: "Bern" }, { age: 1 }] },
        { $not: { city: "Bern" } },
      ])
        assert.deepEqual(await used(where), [null, 40])
      for (const selector of [["others"], { prefix: [] }])
        assert.equal((await store.kv.explain(selector, { city: "Bern" })).index, null)
      assert.equal((await store.kv.explain(["people", 3], { city: "Bern" })).index?.name, "city,age")
    })

    test("more than 10,000 entries are read in their order instead", async () => {
      await store.kv.setMany(people(10_100).map(({ key, value }) => ({ key, value: { ...value, all: 1 } })))
      await store.kv.createIndex(["people"], { on: ["all"] })
      assert.deepEqual(await used({ all: 1 }), [null, 10_100])
      assert.equal(await store.kv.count(["people"], { where: { all: 1 } }), 10_100)
      assert.equal((await ids({ all: 1, age: 7 })).length, 202)
    })

    // Seen to fail: with 100 look-ups at most.
    test("a thousand values of $in are looked up", async () => {
      await store.kv.setMany(people(3000).map(({ key, value }, n) => ({ key, value: { ...value, n } })))
      await store.kv.createIndex(["people"], { on: ["n"] })
      const wanted = Array.from({ length: 1000 }, (_, at) => (at * 7) % 4001)
      const where = { n: { $in: wanted } }
      const there = wanted.filter((n) => n < 3000).toSorted((a, b) => a - b)
      assert.deepEqual(await used(where), ["n", there.length])
      assert.deepEqual(await ids(where), there)
    })

    // Seen to fail: let a page that ends before its entries do say that nothing follows.
    test("many that the index gives and the filter refuses, small ones and large ones", async () => {
      const { kv } = store
      const large = "x".repeat(300 * 1024)
      const entries = people(1300).map(({ key, value }) => ({ key, value: { ...value, all: 1 } }))
      for (const at of [100, 600, 601, 1299]) entries[at].value.text = large
      await kv.setMany(entries)
      const filters = [
        { all: 1, age: 7 },
        { all: 1, born: new Date(1_299_000) },
        { all: 1, text: large },
        { all: 1, city: "Oslo" },
      ]
      const before = []
      for (const where of filters) before.push(await ids(where))
      assert.deepEqual(before[2], [100, 600, 601, 1299])
      await kv.createIndex(["people"], { on: ["all"] })
      for (const [at, where] of filters.entries()) {
        assert.deepEqual(await used(where), ["all", 1300])
        assert.deepEqual(await ids(where), before[at])
        assert.deepEqual(await ids(where, { reverse: true }), before[at].toReversed())
        assert.deepEqual(await ids(where, { limit: 2 }), before[at].slice(0, 2))
        const page = await kv.paginate(["people"], { where, limit: 3 })
        assert.deepEqual(
          [page.entries.map(({ key }) => key[1]), page.hasMore],
          [before[at].slice(0, 3), before[at].length > 3],
        )
      }
    })

    // Seen to fail: take the entry in the row that the index named, whatever its key.
    test("an entry that is deleted and set again between two pages is found with its own value", async () => {
      const { kv } = store
      await kv.setMany(people(38))
      await kv.createIndex(["people"], { on: ["city"] })
      const list = kv.list(["people"], { where: { city: "Bern" }, batchSize: 1 })
      const found = [(await list.next()).value]
      await kv.delete(["people", 37])
      await kv.set(["people", 0.5], { city: "Bern", of: "another" }) // in its row
      await kv.delete(["people", 33])
      await kv.set(["people", 37], { city: "Bern", of: "its own" })
      found.push(...(await collect(list)))
      assert.deepEqual(
        found.map(({ key }) => key[1]),
        [1, 5, 9, 13, 17, 21, 25, 29, 37],
      )
      assert.equal(found.at(-1).value.of, "its own")
    })

    // Seen to fail: read the indexes and what they hold in two snapshots.
    test("lists find the same while the index is made and removed", async () => {
      const { kv } = store
      await kv.setMany(people(100))
      let changing = true
      const change = async () => {
        for (let round = 0; round < 40; round++) {
          await kv.createIndex(["people"], { on: ["city"] })
          await kv.removeIndex(["people"], "city")
        }
        changing = false
      }
      const changed = change()
      while (changing) {
        assert.equal((await ids({ city: "Bern" })).length, 25)
        await new Promise(setImmediate)
      }
      await changed
    })

    test("delete with where takes what matches, and nothing else", async () => {
      await store.kv.setMany(people(100))
      await store.kv.createIndex(["people"], { on: ["city", "age"] })
      const where = { city: "Bern", age: { $gte: 25 } }
      const gone = await ids(where)
      assert.deepEqual(await store.kv.delete(["people"], { where }), {
        success: true,
        deletedCount: gone.length,
      })
      assert.deepEqual(await ids(where), [])
      assert.equal(await store.kv.count(["people"]), 100 - gone.length)
    })

    test("is kept by every way to write, and by those who opened before it", async () => {
      const { kv } = store
      const other = target.shared ? store.another() : kv
      await other.set(["people", 1], { city: "Oslo" })
      await kv.createIndex(["people"], { on: ["city"] })
      const oslo = () => ids({ city: "Oslo" })
      assert.deepEqual(await oslo(), [1])
      await other.set(["people", 2], { city: "Oslo" })
      await other
        .atomic()
        .set(["people", 3], { city: "Oslo" })
        .patch(["people", 1], { city: "Rome" })
        .commit()
      await other.transaction((tx) => tx.set(["people", 4], { city: "Oslo" }))
      assert.deepEqual(await oslo(), [2, 3, 4])
      await other.delete(["people", 2])
      await other.set(["people", 3], Uint8Array.of(1))
      assert.deepEqual(await oslo(), [4])
      store.at(T0)
      await other.touch(["people", 4], { expiresIn: 10 })
      store.at(T0 + 10)
      assert.deepEqual(await oslo(), [])
      await store.sweep()
      assert.deepEqual(await used({ city: "Oslo" }), ["city", 0])
      if (target.persistent) assert.equal((await (await store.reopen()).listIndexes()).length, 1)
    })

    // Seen to fail: look the index up in a list that is read after the answer.
    test("explain describes one moment, while indexes are removed", async () => {
      const { kv } = store
      await kv.createIndex(["people"], { on: ["city"] })
      await kv.setMany(people(8))
      for (let run = 0; run < 20; run++) {
        await kv.createIndex(["others"], { on: ["x"] })
        await kv.createIndex(["people"], { on: ["city"] })
        const [{ index, rowsRead }] = await Promise.all([
          kv.explain(["people"], { city: "Bern" }),
          kv.removeIndex(["others"]),
        ])
        assert.deepEqual([index?.name, rowsRead], ["city", 2])
      }
    })

    test("not keys beside the prefix, of which the last part only begins alike", async () => {
      const { kv } = store
      await kv.createIndex(["t", "1"], { on: ["mail"], unique: true })
      await kv.createIndex(["t", "1"], { fields: ["mail"] })
      await kv.set(["t", "1", "x"], { mail: "ada" })
      for (const other of ["10", "1\0", "", 1]) await kv.set(["t", other, "x"], { mail: "ada" })
      assert.equal((await kv.explain(["t", "10"], { mail: "ada" })).index, null)
      assert.deepEqual(await keysOf(kv, ["t", "1"], { where: { mail: "ada" } }), [["t", "1", "x"]])
      assert.equal((await collect(kv.search(["t", "1"], "ada"))).length, 1)
      assert.equal((await kv.delete(["t", "1"], { where: { mail: "ada" } })).deletedCount, 1)
      assert.equal(await kv.count(["t"], { where: { mail: "ada" } }), 4)
    })

    test("names of fields are no SQL", async () => {
      const { kv } = store
      const names = [
        "it's",
        "a'); DROP TABLE kv_entries; --",
        "a' || x'00' || '",
        "?1",
        "?4",
        ":a",
        "@b",
        "$c",
        "%_",
        "{0}",
        "é ",
        "a, key",
      ]
      for (const name of names) {
        await kv.createIndex(["people"], { on: [`x.${name}`] })
        await kv.createIndex(["people", name], { fields: [`x.${name}`] })
        await kv.set(["people", name, 1], { x: { [name]: "fig" } })
        await kv.set(["people", name, 2], { x: { other: "fig" } })
        const { index, rowsRead } = await kv.explain(["people"], { [`x.${name}`]: "fig" })
        assert.deepEqual([index?.on, rowsRead], [[`x.${name}`], 1])
        assert.deepEqual(await keysOf(kv, ["people"], { where: { [`x.${name}`]: "fig" } }), [
          ["people", name, 1],
        ])
        assert.equal((await collect(kv.search(["people", name], "fig"))).length, 1)
      }
      assert.equal(await kv.count(["people"]), 2 * names.length)
    })

    test("values that it cannot store are found all the same", async () => {
      const { kv } = store
      const values = [
        { a: { __type: "mine", b: 1 } },
        { a: { b: 1 } },
        { a: { b: 1n } },
        { a: { b: [1] } },
        { a: null },
        5,
      ]
      for (const [at, value] of values.entries()) await kv.set(["people", at], value)
      await kv.createIndex(["people"], { on: ["a.b"] })
      assert.deepEqual(await ids({ "a.b": 1 }), [0, 1, 2])
      assert.deepEqual(await ids({ a: { b: { $gt: 0 } } }), [0, 1, 2])
      assert.deepEqual(await ids({ "a.b": { $null: true } }), [4, 5])
    })
  })

  describe("ordered index: made, listed, removed", () => {
    test("one on the same fields is replaced; others are kept", async () => {
      const { kv } = store
      await kv.createIndex(["a"], { on: ["x"], unique: true })
      await kv.createIndex(["a"], { on: ["x"] })
      await kv.createIndex(["a"], { on: ["x", "y.z"] })
      await kv.createIndex(["a"], { fields: ["x"] })
      const reported = (await kv.listIndexes()).map(({ createdAt, ...index }) => index)
      assert.deepEqual(reported, [
        { prefix: ["a"], name: "x", kind: "ordered", on: ["x"], unique: false },
        { prefix: ["a"], name: "x,y.z", kind: "ordered", on: ["x", "y.z"], unique: false },
        { prefix: ["a"], name: "search", kind: "search", fields: ["x"], tokenize: "unicode61" },
      ])
      await kv.setMany([1, 1].map((x, at) => ({ key: ["a", at], value: { x } })))
      assert.deepEqual(await kv.removeIndex(["a"], "x"), { ok: true })
      assert.deepEqual(await kv.removeIndex(["a"], "x"), { ok: false })
      assert.deepEqual(await kv.removeIndex(["a"]), { ok: true })
      assert.deepEqual(await kv.listIndexes(), [])
    })

    // Seen to fail: with names that are not quoted, two indexes were removed by one name.
    test("each has a name of its own", async () => {
      const { kv } = store
      const indexes = [{ on: ["a", "b"] }, { on: ["a,b"] }, { on: ["search"] }, { fields: ["search"] }]
      for (const options of indexes) await kv.createIndex(["n"], options)
      const names = (await kv.listIndexes()).map(({ name }) => name)
      assert.deepEqual(names, ["a,b", '"a,b"', '"search"', "search"])
      for (const [at, name] of names.entries()) {
        assert.deepEqual(await kv.removeIndex(["n"], name), { ok: true })
        assert.equal((await kv.listIndexes()).length, indexes.length - at - 1)
      }
    })

    test("refusals", async () => {
      const { kv } = store
      const bad = [
        [{ on: [] }, /^on: it is empty/],
        [{ on: "city" }, /^on: a string is not an array/],
        [{ on: ["a..b"] }, /^on\[0\]/],
        [{ on: [5] }, /^on\[0\]/],
        [{ on: ['a"b'] }, /^on: /],
        [{ on: ["a"], fields: ["b"] }, /either fields/],
        [{}, /either fields/],
        [{ on: ["a"], tokenize: "porter" }, /^tokenize/],
        [{ fields: ["a"], unique: true }, /^unique/],
        [{ on: ["a"], unique: 1 }, /^unique/],
        [{ on: ["a"], sparse: true }, /options\.sparse/],
        [undefined, /^options/],
      ]
      for (const [options, said] of bad)
        await refused(() => kv.createIndex(["a"], options), "INVALID_ARGUMENT", said)
      const many = Array.from({ length: 17 }, (_, at) => `f${at}`)
      await refused(() => kv.createIndex(["a"], { on: many }), "LIMIT_EXCEEDED", /^on: 17 fields/)
      await refused(() => kv.explain(["a"]), "INVALID_ARGUMENT", /^where/)
      await refused(() => kv.explain(["a"], { x: { $eqq: 1 } }), "INVALID_ARGUMENT", /\$eq/)
      assert.deepEqual(await kv.listIndexes(), [])
    })
  })
}
