import assert from "node:assert/strict"
import { test } from "node:test"
import { inspect } from "node:util"
import { KvU64 } from "@buntime/keyval"
import { keysOf } from "../../support/assert.js"
import { useStore } from "../../support/store.js"

const SAFE = 2 ** 53
const SAFE_PLUS_1 = 2n ** 53n + 1n

/** A value of every kind, under the name that the cases call it by. */
const VALUES = {
  0: 0,
  "-0": -0,
  1: 1,
  1.5: 1.5,
  "2^53": SAFE,
  NaN: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
  "1n": 1n,
  "2^53+1n": SAFE_PLUS_1,
  "2^70n": 2n ** 70n,
  u64: new KvU64(1n),
  date: new Date(1),
  "no date": new Date(Number.NaN),
  true: true,
  false: false,
  null: null,
  undefined: undefined,
  "no text": "",
  a: "a",
  Ab: "Ab",
  ß: "ß",
  lone: "\ud800",
  "😀": "😀",
  bytes: Uint8Array.of(1),
  "no bytes": new Uint8Array(),
  "[]": [],
  "[1,a]": [1, "a"],
  "{}": {},
  "{a}": { a: 1 },
  map: new Map([["a", 1]]),
  "no map": new Map(),
  set: new Set([1]),
  regexp: /a/i,
  int8: Int8Array.of(1),
  error: Object.assign(new RangeError("a"), { stack: "RangeError: a" }),
}
const NAMES = [...Object.keys(VALUES), "absent"]
const NUMBERS = "0 -0 1 1.5 2^53 inf -inf".split(" ")
const TEXTS = ["no text", "a", "Ab", "ß", "lone", "😀"]
const NOTHING = ["null", "undefined", "absent"]

/** Operators, and what they match. */
const CASES = [
  [{ $eq: 0 }, "0", "-0"],
  [{ $eq: -0 }, "0", "-0"],
  [{ $eq: 1 }, "1", "1n", "u64", "date"],
  [{ $eq: 1n }, "1", "1n", "u64"],
  [{ $eq: new KvU64(1n) }, "1", "1n", "u64"],
  [{ $eq: new Date(1) }, "1", "date"],
  [{ $eq: new Date(Number.NaN) }],
  [{ $eq: SAFE }, "2^53"],
  [{ $eq: SAFE_PLUS_1 }, "2^53+1n"],
  [{ $eq: 2 ** 70 }, "2^70n"],
  [{ $eq: Number.NaN }],
  [{ $eq: Number.POSITIVE_INFINITY }, "inf"],
  [{ $eq: null }, "null"],
  [{ $eq: true }, "true"],
  [{ $eq: "" }, "no text"],
  [{ $eq: "A" }],
  [{ $eq: "\ud800" }, "lone"],
  [{ $eq: Uint8Array.of(1) }, "bytes"],
  [{ $eq: Buffer.of(1) }, "bytes"],
  [{ $eq: Int8Array.of(1) }, "int8"],
  [{ $eq: [] }, "[]"],
  [{ $eq: [1n, "a"] }, "[1,a]"],
  [{ $eq: ["a", 1] }],
  [{ $eq: {} }, "{}"],
  [{ $eq: { a: 1n } }, "{a}"],
  [{ $eq: { a: 1, b: 1 } }],
  [{ $eq: new Map([["a", 1]]) }, "map"],
  [{ $eq: new Map([["a", 1n]]) }],
  [{ $eq: new Set([1]) }, "set"],
  [{ $eq: /a/i }, "regexp"],
  [{ $eq: /a/ }],
  [{ $eq: VALUES.error }, "error"],
  [{ $gt: 1 }, "1.5", "2^53", "inf", "2^53+1n", "2^70n"],
  [{ $gte: 1 }, "1", "1.5", "2^53", "inf", "1n", "2^53+1n", "2^70n", "u64", "date"],
  [{ $lt: 1 }, "0", "-0", "-inf"],
  [{ $lte: 1n }, "0", "-0", "1", "-inf", "1n", "u64"],
  [{ $gt: SAFE }, "inf", "2^53+1n", "2^70n"],
  [{ $lt: SAFE_PLUS_1 }, "0", "-0", "1", "1.5", "2^53", "-inf", "1n", "u64"],
  [{ $gt: 1.25 }, "1.5", "2^53", "inf", "2^53+1n", "2^70n"],
  [{ $lt: 1.25 }, "0", "-0", "1", "-inf", "1n", "u64", "date"],
  [{ $lte: Number.POSITIVE_INFINITY }, ...NUMBERS, "1n", "2^53+1n", "2^70n", "u64", "date"],
  [{ $gt: Number.POSITIVE_INFINITY }],
  [{ $gte: Number.NaN }],
  [{ $gt: new Date(0) }, "1", "1.5", "2^53", "inf", "date"],
  [{ $gte: "" }, ...TEXTS],
  [{ $gt: "a" }, "ß", "lone", "😀"],
  [{ $lt: "a" }, "no text", "Ab"],
  [{ $gt: "\uffff" }, "😀"],
  [{ $lt: "😀" }, "no text", "a", "Ab", "ß", "lone"],
  [{ $between: [0, 1.5] }, "0", "-0", "1", "1.5", "1n", "u64", "date"],
  [{ $between: [1.5, 0] }],
  [{ $between: [1n, SAFE_PLUS_1] }, "1", "1.5", "2^53", "1n", "2^53+1n", "u64"],
  [{ $between: ["A", "a"] }, "Ab", "a"],
  [{ $between: [0, "a"] }],
  [{ $between: [new Date(0), new Date(1)] }, "0", "-0", "1", "date"],
  [{ $in: [0, "a", null, [1, "a"]] }, "0", "-0", "a", "null", "[1,a]"],
  [{ $in: [] }],
  [{ $in: [Number.NaN, false] }, "false"],
  [{ $contains: "a" }, "a", "[1,a]"],
  [{ $contains: "" }, ...TEXTS],
  [{ $contains: 1n }, "[1,a]"],
  [{ $contains: new Date(1) }, "[1,a]"],
  [{ $contains: null }],
  [{ $contains: "\ud83d" }],
  [{ $startsWith: "A" }, "Ab"],
  [{ $startsWith: "" }, ...TEXTS],
  [{ $startsWith: "\ud83d" }],
  [{ $endsWith: "b" }, "Ab"],
  [{ $endsWith: "aAb" }],
  [{ $containsi: "A" }, "a", "Ab", "[1,a]"],
  [{ $containsi: "" }, ...TEXTS],
  [{ $containsi: "\ud801" }],
  [{ $startsWithi: "a" }, "a", "Ab"],
  [{ $endsWithi: "B" }, "Ab"],
  [{ $null: true }, ...NOTHING],
  [{ $empty: true }, ...NOTHING, "no text", "no bytes", "[]", "{}"],
  [{ $gt: 0, $lt: 2 }, "1", "1.5", "1n", "u64", "date"],
  [{ $and: [{ $gt: 0 }, { $lt: 2 }] }, "1", "1.5", "1n", "u64", "date"],
  [{ $or: [{ $eq: "a" }, { $null: true }, { a: 1 }] }, "a", ...NOTHING, "{a}"],
  [{ $not: { $not: { $eq: "a" } } }, "a"],
  [{ a: 1 }, "{a}"],
  [{ a: { $null: false } }, "{a}"],
  [{ a: 1, $or: [{ a: 2 }, { $null: false }] }, "{a}"],
  [{ a: 1, $not: { a: { $gt: 0 } } }],
  [{ length: { $gte: 0 } }],
  [{ size: 1 }],
  [{ value: { $null: false } }],
  [{ name: { $null: false } }],
  [{ message: "a" }],
  [{ source: "a" }],
]

/** Operators that match what the other does not. */
const OPPOSITES = {
  $eq: "$ne",
  $in: "$nin",
  $contains: "$notContains",
  $containsi: "$notContainsi",
  $null: "$notNull",
  $empty: "$notEmpty",
}

const others = (names) => NAMES.filter((name) => !names.includes(name))

/** Law 7, by hand: every operator on every kind of value. Seen to fail: let `$ne` ask for a value. */
export function where(target) {
  const store = useStore(target, { per: "suite" })
  let filled

  /**
   * The names of what matches: as the field of an object, and as the value itself, which cannot be absent.
   */
  async function assertMatches(operators, names) {
    filled ??= fill(store.kv)
    await filled
    const of = async (prefix, where) => (await keysOf(store.kv, [prefix], { where })).map(([, name]) => name)
    const expected = names.toSorted()
    const said = inspect(operators, { depth: 10 })
    assert.deepEqual((await of("field", { v: operators })).toSorted(), expected, said)
    const stored = expected.filter((name) => name !== "undefined" && name !== "absent")
    assert.deepEqual((await of("root", operators)).toSorted(), stored, `${said}, of the value itself`)
    assert.equal(await store.kv.count(["field"], { where: { v: operators } }), expected.length, said)
  }

  for (const [operators, ...names] of CASES)
    test(`${inspect(operators, { depth: 10, breakLength: Infinity })}`, async () => {
      await assertMatches(operators, names)
      await assertMatches({ $not: operators }, others(names))
      const [[name, operand], ...more] = Object.entries(operators)
      const opposite = OPPOSITES[name]
      if (opposite && more.length === 0) await assertMatches({ [opposite]: operand }, others(names))
      if (typeof operand === "boolean" && name !== "$eq")
        await assertMatches({ [name]: !operand }, others(names))
    })

  test("a value without an operator means $eq", async () => {
    for (const value of [
      1,
      "a",
      true,
      null,
      1n,
      new Date(1),
      [1, "a"],
      Uint8Array.of(1),
      new Map([["a", 1]]),
    ])
      assert.deepEqual(
        await keysOf(store.kv, ["field"], { where: { v: value } }),
        await keysOf(store.kv, ["field"], { where: { v: { $eq: value } } }),
      )
  })

  test("bigints of a hundred thousand digits are compared like others", async () => {
    const { kv } = store
    const long = BigInt("9".repeat(100_000))
    const values = { a: long, b: long + 1n, c: -long, d: 5n, e: Number.MAX_VALUE }
    for (const [name, n] of Object.entries(values)) await kv.set(["long", name], { n })
    const found = async (where) => (await keysOf(kv, ["long"], { where })).map(([, name]) => name).join("")
    assert.equal(await found({ n: long }), "a")
    assert.equal(await found({ n: { $gt: long } }), "b")
    assert.equal(await found({ n: { $lt: -5 } }), "c")
    assert.equal(await found({ n: { $gt: Number.MAX_VALUE } }), "ab")
    assert.equal(await found({ n: { $between: [5, long] } }), "ade")
  })
}

async function fill(kv) {
  const entries = Object.entries(VALUES)
  const stored = entries.filter(([, value]) => value !== undefined)
  await kv.setMany([
    ...entries.map(([name, v]) => ({ key: ["field", name], value: { v } })),
    { key: ["field", "absent"], value: { w: 1 } },
    ...stored.map(([name, value]) => ({ key: ["root", name], value })),
  ])
}
