import assert from "node:assert/strict"
import { test } from "node:test"
import { inspect } from "node:util"
import { keysOf } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

/** Where a filter looks: paths, what is within one another, names, case, the store's time. */
export function wherePaths(target) {
  const store = useStore(target)

  /** Which of the values match, by their place. */
  async function matching(values, where) {
    await store.kv.delete({ prefix: [] })
    await store.kv.setMany(values.map((value, at) => ({ key: [at], value })))
    return (await keysOf(store.kv, { prefix: [] }, { where })).map(([at]) => at)
  }

  test("paths, nested objects and array indexes name the same", async () => {
    const people = [
      { profile: { verified: true, tags: [{ name: "x" }, ["y"]] } },
      { profile: { verified: false, tags: ["x"] } },
      { profile: true },
      { profile: [true] },
      { "profile.verified": true },
      { profile: new Map([["verified", true]]) },
      5,
      null,
    ]
    const cases = [
      [{ "profile.verified": true }, 0],
      [{ profile: { verified: true } }, 0],
      [{ profile: { verified: { $ne: true } } }, 1, 2, 3, 4, 5, 6, 7],
      [{ profile: { $eq: { verified: true } } }],
      [{ "profile.tags[0].name": "x" }, 0],
      [{ profile: { "tags[0]": { name: "x" } } }, 0],
      [{ "profile.tags[1][0]": "y" }, 0],
      [{ "profile.tags[0]": "x" }, 1],
      [{ "profile[0]": true }, 3],
      [{ "profile[1]": { $null: true } }, 0, 1, 2, 3, 4, 5, 6, 7],
      [{ "profile.0": true }],
      [{ "profile.tags[9007199254740993]": 1 }],
      [{ profile: { tags: { $null: false }, verified: false } }, 1],
    ]
    for (const [where, ...expected] of cases)
      assert.deepEqual(await matching(people, where), expected, inspect(where))
  })

  test("$and, $or and $not, at the root and below a field", async () => {
    const values = [{ a: 1, b: 1 }, { a: 1, b: 2 }, { a: 2 }, {}]
    const cases = [
      [{ a: 1, b: 2 }, 1],
      [{ $and: [{ a: 1 }, { b: 2 }] }, 1],
      [{ $or: [{ a: 2 }, { b: 1 }] }, 0, 2],
      [{ $not: { a: 1 } }, 2, 3],
      [{ $not: { a: 1, b: 1 } }, 1, 2, 3],
      [{ a: { $or: [{ $gt: 1 }, { $null: true }] } }, 2, 3],
      [{ a: { $and: [{ $gt: 0 }, { $lt: 2 }] } }, 0, 1],
      [{ a: { $not: { $gt: 1 } } }, 0, 1, 3],
      [{ $or: [{ a: 1 }], $and: [{ b: { $not: { $eq: 2 } } }] }, 0],
      [{ $and: [{ $or: [{ a: 2 }, { a: 1 }] }, { $not: { b: { $in: [1] } } }] }, 1, 2],
    ]
    for (const [where, ...expected] of cases)
      assert.deepEqual(await matching(values, where), expected, inspect(where, { depth: 9 }))
  })

  test("whatever the case, as Unicode folds it", async () => {
    const groups = [
      ["straße", "STRASSE", "Straſse", "STRAẞE"],
      ["ΣΊΣΥΦΟΣ", "σίσυφος", "σίσυφοσ"],
      ["İx", "i\u0307X"],
      ["ıx"],
      ["ix", "IX"],
      ["ﬁn", "FIN"],
      ["\u212ain", "KIN", "kin"],
      ["É", "é"],
      ["e\u0301", "E\u0301"],
      ["Ж😀", "ж😀"],
    ]
    const texts = groups.flat()
    for (const group of groups) {
      const expected = group.map((text) => texts.indexOf(text))
      for (const text of group)
        for (const operator of ["$startsWithi", "$endsWithi", "$containsi"])
          assert.deepEqual(await matching(texts, { [operator]: text }), expected, `${operator} ${text}`)
      for (const text of group)
        assert.deepEqual(
          await matching(
            texts.map((one) => [one]),
            { $containsi: text },
          ),
          expected,
          text,
        )
    }
    assert.deepEqual(await matching(["ß", "s", "ſ", "S", "x"], { $startsWithi: "s" }), [0, 1, 2, 3])
  })

  test("a member named __type is a member, and the tag of a type is none", async () => {
    const values = [
      { a: { __type: "bigint", value: "5" } },
      { a: { __type: { b: 1n } } },
      { __type: "date", value: 0, a: { deep: { __type: "object", value: [{ __type: 7 }] } } },
      { a: 5n },
      { a: new Date(0) },
    ]
    const cases = [
      [{ "a.__type": "bigint" }, 0],
      [{ a: { value: "5" } }, 0],
      [{ a: 5 }, 3],
      [{ "a.__type.b": 1 }, 1],
      [{ __type: "date" }, 2],
      [{ value: 0 }, 2],
      [{ "a.deep.value[0].__type": 7 }, 2],
      [{ a: { $eq: { __type: "bigint", value: "5" } } }, 0],
      [{ a: { $contains: "5" } }],
      [{ "a.value": { $null: false } }, 0],
    ]
    for (const [where, ...expected] of cases)
      assert.deepEqual(await matching(values, where), expected, inspect(where, { depth: 9 }))
  })

  test("names of any text", async () => {
    for (const name of ["\ud800", 'a"\\\n', "ключ", "", "__proto__", "constructor", "0", " "]) {
      const value = Object.fromEntries([[name, 1]])
      assert.deepEqual(await matching([{ in: value }, value, {}], { in: { $eq: value } }), [0], inspect(name))
      if (name !== "") assert.deepEqual(await matching([{ in: value }, value, {}], value), [1], inspect(name))
    }
    assert.deepEqual(
      await matching([{ a: { $gt: 1 } }], { "a.$gt": 1 }),
      [0],
      "a name that looks like an operator",
    )
  })

  test("values that nest as deep as can be are there, and what is deep in them is found", async () => {
    const deep = (wrap) => Array.from({ length: 98 }).reduce(wrap, { bottom: 1n })
    const values = [
      { v: deep((inner) => new Map([["k", inner]])) },
      { v: deep((inner) => ({ __type: inner })) },
      { v: deep((inner) => [inner]) },
      { v: deep((cause) => Object.assign(new Error("a", { cause }), { stack: "" })) },
    ]
    assert.deepEqual(await matching(values, { v: { $null: false } }), [0, 1, 2, 3])
    assert.deepEqual(await matching(values, { [`v${".__type".repeat(98)}.bottom`]: 1 }), [1])
    assert.deepEqual(await matching(values, { [`v${"[0]".repeat(98)}.bottom`]: 1 }), [2])
    for (const [at, value] of values.slice(0, 3).entries())
      assert.deepEqual(await matching(values, { v: { $eq: value.v } }), [at])
  })

  // Seen to fail: each condition had a copy of the whole path, and 900 of them held up the event loop for 6
  // s.
  test("a path that is longer than any value is deep leads nowhere, at no cost", async () => {
    const path = (steps) => Array(steps).fill("a").join(".")
    const deepest = Array(100)
      .fill()
      .reduce((value) => ({ a: value }), 1)
    assert.deepEqual(await matching([deepest], { [path(100)]: 1 }), [0])
    assert.deepEqual(await matching([deepest], { [path(100)]: { a: { $null: true } } }), [0])
    for (const steps of [101, 102, 50_000])
      assert.deepEqual(await matching([deepest], { [path(steps)]: { $null: true } }), [0])
    const begun = performance.now()
    const many = { $and: Array.from({ length: 900 }, () => ({ $ne: 1 })) }
    assert.deepEqual(await matching([deepest], { [path(50_000)]: many }), [0])
    assert.deepEqual(await matching([deepest], { [path(50_000)]: { b: { $notNull: true } } }), [])
    assert.ok(performance.now() - begun < 2000)
  })

  test("kv.now() is the store's time when it is asked", async () => {
    const { kv } = store
    const values = [T0 - 1, T0, T0 + 1, new Date(T0 - 1), new Date(T0), new Date(T0 + 1), BigInt(T0), "now"]
    store.at(T0)
    const cases = [
      [{ $lt: kv.now() }, 0, 3],
      [{ $eq: kv.now() }, 1, 4],
      [{ $gte: kv.now() }, 1, 2, 4, 5],
      [{ $gt: kv.now().sub(2) }, 0, 1, 2, 3, 4, 5],
      [{ $lte: kv.now().sub("1ms") }, 0, 3],
      [{ $between: [kv.now(), kv.now().add(1)] }, 1, 2, 4, 5],
      [{ $in: [kv.now().add("1s"), kv.now().add("1s").sub(999)] }, 2, 5],
      [{ $ne: kv.now() }, 0, 2, 3, 5, 6, 7],
    ]
    for (const [where, ...expected] of cases) assert.deepEqual(await matching(values, where), expected)
    const later = { $lt: kv.now() }
    store.at(T0 + 2)
    assert.deepEqual(await matching(values, later), [0, 1, 2, 3, 4, 5])
    const nested = values.map((at) => ({ at }))
    assert.deepEqual(await matching(nested, { at: kv.now().sub(2) }), [1, 4])
  })
}
