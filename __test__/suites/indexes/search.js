import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { collect, refused } from "../../support/assert.js"
import { found, foundSorted, index } from "../../support/full-text.js"
import { T0, useStore } from "../../support/store.js"

/**
 * Queries that would be operators of FTS5, or break its quotes; each finds the document of the same words, or
 * nothing.
 */
const OPERATORS = [
  ["apple AND pear", false],
  ["apple OR pear", false],
  ["apple NOT pear", false],
  ["NEAR(apple pear)", false],
  ["NEAR(apple pear, 5)", false],
  ["apple*", true],
  ["^apple", true],
  ["c0 : apple", false],
  ["c0:apple", false],
  ["{c0} : apple", false],
  ['"apple', true],
  ['apple"', true],
  ['"apple pear"', true],
  ['""apple""', true],
  ["'apple'", true],
  ["(apple", true],
  ["apple)", true],
  ["(apple) (pear)", true],
  ["-apple", true],
  ["- apple", true],
  ["apple + pear", true],
  ["+apple", true],
  ["{apple}", true],
  ["apple; DROP TABLE kv_entries; --", false],
  ["apple' OR 1=1 --", false],
  ["apple\0pear", true],
  ["apple \ud800", true],
  ["\udc00 apple", true],
  ["🍎 apple 🎉", true],
  ["apple 🍎", true],
  ["apple, pear!", true],
  ["apple-pear", true],
  ["pear-apple", false],
  ["*", false],
  ['"', false],
  ['"""', false],
  ["()", false],
  ["^:*+-(){}'\"", false],
  ["\0", false],
  ["\ud800", false],
  ["🎉", false],
  ["", false],
  [" \t\n\u00a0\u3000", false],
  ["AND", false],
  ["%_?1$@", false],
]

export function search(target) {
  const store = useStore(target)

  describe("what is found", () => {
    test("entries written before the index, and those written since", async () => {
      await store.kv.set(["t", "old"], { text: "an apple" })
      await index(store.kv, { new: "one apple more", other: "a pear" })
      assert.deepEqual(await foundSorted(store.kv, ["t"], "apple"), ["new", "old"])
      const [entry] = await collect(store.kv.search(["t"], "pear"))
      assert.deepEqual(entry, await store.kv.get(["t", "other"]))
    })

    test("an entry that will expire says so, one that has expired is not found", async () => {
      store.at(T0)
      await index(store.kv, {})
      await store.kv.set(["t", "a"], { text: "apple" }, { expiresIn: "1s" })
      const [entry] = await collect(store.kv.search(["t"], "apple"))
      assert.deepEqual(entry, await store.kv.get(["t", "a"]))
      store.at(T0 + 1000)
      assert.deepEqual(await found(store.kv, ["t"], "apple"), [])
    })

    test("all words must be there, in any order and in any field", async () => {
      await store.kv.createIndex(["t"], { fields: ["title", "body"] })
      await store.kv.set(["t", 1], { title: "red apple", body: "from the garden", note: "hidden" })
      await store.kv.set(["t", 2], { title: "red pear" })
      assert.deepEqual(await foundSorted(store.kv, ["t"], "red"), [1, 2])
      assert.deepEqual(await found(store.kv, ["t"], "garden red"), [1])
      assert.deepEqual(await found(store.kv, ["t"], "red red RED apple"), [1])
      assert.deepEqual(await found(store.kv, ["t"], "red banana"), [])
      assert.deepEqual(await found(store.kv, ["t"], "hidden"), [])
      assert.deepEqual(await found(store.kv, ["t"], "app"), [])
    })

    // Seen to fail: take the text of an array from `json_extract`.
    test("nested fields, elements, arrays, numbers, bigints, names with other letters", async () => {
      const fields = ["a.b.c", "tags", "items[1].name", "n", "it's", "x y", "ü"]
      await store.kv.createIndex(["t"], { fields })
      const tags = [
        "one\ntwo",
        'say "three"',
        "tab\tfour",
        "back\\five",
        66,
        77n,
        ["deep", { name: "inner" }],
      ]
      await store.kv.set(["t", "a"], { a: { b: { c: "nested" } }, tags })
      await store.kv.set(["t", "b"], { items: [{ name: "zeroth" }, { name: "first" }], n: 42 })
      await store.kv.set(["t", "c"], { "it's": "quote", "x y": "space", ü: "umlaut", n: 10n })
      const words = ["nested", "one", "two", "three", "four", "five", "66", "77", "deep", "inner"]
      for (const word of words) assert.deepEqual(await found(store.kv, ["t"], word), ["a"], word)
      for (const word of ["first", "42"]) assert.deepEqual(await found(store.kv, ["t"], word), ["b"], word)
      for (const word of ["quote", "space", "umlaut", "10"])
        assert.deepEqual(await found(store.kv, ["t"], word), ["c"], word)
      for (const word of ["ntwo", "name", "zeroth", "bigint", "type", "value", "__type", "true"])
        assert.deepEqual(await found(store.kv, ["t"], word), [], word)
    })

    test("a value without such a field, or that is no object, is no match and no error", async () => {
      await store.kv.createIndex([], { fields: ["text"] })
      const values = [
        null,
        5,
        "text apple",
        ["apple"],
        true,
        {},
        { text: null },
        { text: true },
        { other: "apple" },
      ]
      const others = [
        { text: new Date(0) },
        { text: undefined },
        { text: NaN },
        Uint8Array.of(1),
        new Map(),
        5n,
      ]
      await store.kv.setMany([...values, ...others].map((value, at) => ({ key: ["v", at], value })))
      await store.kv.set(["v", "match"], { text: "apple" })
      assert.deepEqual(await found(store.kv, [], "apple"), ["match"])
    })

    test("a word twice in a short text ranks before a word once in a long one", async () => {
      const long = Array.from({ length: 200 }, (_, at) => `word${at}`).join(" ")
      await index(store.kv, {
        long: `${long} apple`,
        short: "apple and apple",
        medium: "an apple among other things",
      })
      assert.deepEqual(await found(store.kv, ["t"], "apple"), ["short", "medium", "long"])
    })
  })

  describe("tokenizers", () => {
    const TEXTS = {
      run: "He was Running through the CAFÉ",
      greek: "Ελληνικά γράμματα",
      russian: "Привет, мир",
      chinese: "東京 タワー",
      arabic: "مرحبا بالعالم",
      german: "Straße über Äcker",
    }
    const ALL = [
      ["café", ["run"]],
      ["CAFÉ", { ascii: ["run"], unicode61: ["run"], porter: ["run"] }],
      ["cafe", { ascii: [], unicode61: ["run"], porter: ["run"] }],
      ["RUNNING", ["run"]],
      ["runs", { ascii: [], unicode61: [], porter: ["run"] }],
      ["ΕΛΛΗΝΙΚΆ", { ascii: [], unicode61: ["greek"], porter: ["greek"] }],
      ["Ελληνικά", ["greek"]],
      ["ПРИВЕТ", { ascii: [], unicode61: ["russian"], porter: ["russian"] }],
      ["мир", ["russian"]],
      ["東京", ["chinese"]],
      ["مرحبا", ["arabic"]],
      ["UBER", { ascii: [], unicode61: ["german"], porter: ["german"] }],
      ["straße", ["german"]],
    ]
    // ASCII knows no case of É.
    ALL[0][1] = { ascii: [], unicode61: ["run"], porter: ["run"] }

    for (const tokenize of ["unicode61", "porter", "ascii"])
      test(`${tokenize}: case, accents, stems, other scripts`, async () => {
        await index(store.kv, TEXTS, { tokenize })
        for (const [query, expected] of ALL)
          assert.deepEqual(await found(store.kv, ["t"], query), expected[tokenize] ?? expected, query)
      })

    test("unicode61 is the default", async () => {
      await index(store.kv, {})
      const [{ createdAt, ...reported }] = await store.kv.listIndexes()
      const kind = { name: "search", kind: "search" }
      assert.deepEqual(reported, { prefix: ["t"], ...kind, fields: ["text"], tokenize: "unicode61" })
      assert.ok(createdAt > 0)
    })
  })

  describe("any string is a query", () => {
    test("nothing is an operator, nothing is an error", async () => {
      for (const tokenize of ["unicode61", "porter", "ascii"]) {
        await index(store.kv, { a: "apple pear", b: "orange" }, { tokenize })
        for (const [query, matches] of OPERATORS)
          assert.deepEqual(await found(store.kv, ["t"], query), matches ? ["a"] : [], JSON.stringify(query))
      }
    })

    // Seen to fail: part the words of an ASCII index at the blanks of Unicode, which are letters there.
    test("a text is found by itself, whatever parts its words", async () => {
      const texts = [" ", "\u00a0", "\u3000", "\u2003", "\u2028", "\u200b", "–", "…", "\t"].map(
        (blank) => `foo${blank}bar`,
      )
      for (const tokenize of ["unicode61", "porter", "ascii"]) {
        await index(store.kv, { ...texts }, { tokenize })
        for (const [at, text] of texts.entries()) {
          const ids = await found(store.kv, ["t"], text)
          assert.ok(ids.includes(String(at)), `${tokenize}: ${JSON.stringify(text)}: ${ids}`)
        }
      }
    })

    test("long ones: a word, and words, of 100 KB", async () => {
      await index(store.kv, { a: "apple", b: `apple ${"x".repeat(100_000)}` })
      assert.deepEqual(await found(store.kv, ["t"], "y".repeat(100_000)), [])
      assert.deepEqual(await foundSorted(store.kv, ["t"], "apple ".repeat(17_000)), ["a", "b"])
      assert.deepEqual(await foundSorted(store.kv, ["t"], "- apple".padEnd(100_000, " +")), ["a", "b"])
      assert.deepEqual(await found(store.kv, ["t"], "apple-".repeat(17_000)), [])
    })
  })

  describe("indexes", () => {
    test("the one of the longest prefix serves; a prefix is whole parts", async () => {
      await store.kv.createIndex([], { fields: ["all"] })
      await store.kv.createIndex(["t", 1], { fields: ["one"] })
      for (const key of [["t", 1, "a"], ["t", 10, "a"], ["t", 1], ["t", "1", "a"], ["u"]])
        await store.kv.set(key, { all: "apple", one: "pear" })
      const keys = async (prefix, query) =>
        (await collect(store.kv.search(prefix, query))).map(({ key }) => key)
      assert.deepEqual(await keys(["t", 1], "pear"), [["t", 1, "a"]])
      assert.deepEqual(await keys(["t", 1], "apple"), [])
      assert.deepEqual(await keys(["t", 10], "apple"), [["t", 10, "a"]])
      assert.equal((await keys([], "apple")).length, 5)
      assert.equal((await keys(["t"], "apple")).length, 4)
      assert.deepEqual(await keys(["t"], "pear"), [])
      assert.deepEqual(await keys(["t", 1, "a"], "pear"), [])
    })

    test("an index that is made again replaces; removeIndex takes that of its prefix alone", async () => {
      await index(store.kv, { a: "running" })
      await store.kv.createIndex(["t", "sub"], { fields: ["text", "title"] })
      await index(store.kv, {}, { tokenize: "porter" })
      assert.deepEqual(await found(store.kv, ["t"], "run"), ["a"])
      assert.deepEqual(
        (await store.kv.listIndexes()).map(({ prefix, fields, tokenize }) => [prefix, fields, tokenize]),
        [
          [["t", "sub"], ["text", "title"], "unicode61"],
          [["t"], ["text"], "porter"],
        ],
      )
      assert.deepEqual(await store.kv.removeIndex(["t"]), { ok: true })
      assert.deepEqual(await store.kv.removeIndex(["t"]), { ok: false })
      assert.equal((await store.kv.listIndexes()).length, 1)
      await refused(() => store.kv.search(["t"], "run"), "INVALID_ARGUMENT", /^prefix: .*createIndex/)
      await store.kv.set(["t", "a"], { text: "still writes" })
    })

    test("a search goes on in the index that replaced its own, and ends if it is gone", async () => {
      const texts = Object.fromEntries(Array.from({ length: 1500 }, (_, at) => [at, "apple"]))
      await index(store.kv, texts)
      const iterator = store.kv.search(["t"], "apple")
      await iterator.next()
      await store.kv.createIndex(["t"], { fields: ["text"] })
      for (let n = 1; n < 150; n++) assert.equal((await iterator.next()).done, false)
      await store.kv.removeIndex(["t"])
      await refused(() => iterator, "INVALID_ARGUMENT", /search index/)
    })
  })

  describe("refusals", () => {
    test("createIndex", async () => {
      const create = (prefix, options) => () => store.kv.createIndex(prefix, options)
      const fields = ["text"]
      for (const prefix of [undefined, null, "t", 5, [null], [{}], ["\ud800"], { prefix: ["t"] }])
        await refused(create(prefix, { fields }), "INVALID_ARGUMENT", /prefix/)
      await refused(create(Array(21).fill(1), { fields }), "LIMIT_EXCEEDED", /prefix/)
      for (const options of [undefined, null, "text", 5])
        await refused(create(["t"], options), "INVALID_ARGUMENT", /options/)
      for (const bad of [
        undefined,
        null,
        "text",
        5,
        {},
        [],
        [""],
        [null],
        [5],
        ["a..b"],
        ["a."],
        ["[0]"],
        ["a[x]"],
        ["\ud800"],
      ])
        await refused(create(["t"], { fields: bad }), "INVALID_ARGUMENT", /fields/)
      for (const name of ['a"b', "a\\b", "a\0b"])
        await refused(create(["t"], { fields: [name] }), "INVALID_ARGUMENT", /fields/)
      await refused(create(["t"], { fields: Array(17).fill("a") }), "LIMIT_EXCEEDED", /17/, /16/)
      for (const tokenize of [null, "", "trigram", "unicode61'", 5, {}])
        await refused(create(["t"], { fields, tokenize }), "INVALID_ARGUMENT", /tokenize/)
      await refused(create(["t"], { fields, tokenise: "porter" }), "INVALID_ARGUMENT", /tokenise/)
      assert.deepEqual(await store.kv.listIndexes(), [])
      await store.kv.createIndex(["t"], { fields: Array.from({ length: 16 }, (_, at) => `f${at}`) })
    })

    test("search and removeIndex", async () => {
      await index(store.kv, { a: "apple" })
      for (const prefix of [undefined, null, "t", 5, [null], { prefix: ["t"] }]) {
        assert.throws(() => store.kv.search(prefix, "apple"), { code: "INVALID_ARGUMENT" })
        await refused(() => store.kv.removeIndex(prefix), "INVALID_ARGUMENT", /prefix/)
      }
      for (const query of [undefined, null, 5, ["apple"], {}, Symbol("a")])
        assert.throws(() => store.kv.search(["t"], query), { code: "INVALID_ARGUMENT", message: /query/ })
      for (const limit of [0, -1, 1.5, "5", null, Infinity, 2n])
        assert.throws(() => store.kv.search(["t"], "apple", { limit }), {
          code: "INVALID_ARGUMENT",
          message: /limit/,
        })
      for (const options of [null, 5, { filter: {} }, { where: 5 }, { where: { a: { $gt: {} } } }])
        assert.throws(() => store.kv.search(["t"], "apple", options), { code: "INVALID_ARGUMENT" })
      await refused(() => store.kv.search(["u"], "apple"), "INVALID_ARGUMENT", /createIndex/)
    })

    test("after close: CLOSED, a search under way too", async () => {
      await index(store.kv, { a: "apple" })
      const iterator = store.kv.search(["t"], "apple")
      await store.kv.close()
      await assert.rejects(iterator.next(), { code: "CLOSED" })
      assert.throws(() => store.kv.search(["t"], "apple"), { code: "CLOSED" })
      await refused(() => store.kv.createIndex(["t"], { fields: ["a"] }), "CLOSED")
      await refused(() => store.kv.listIndexes(), "CLOSED")
      await refused(() => store.kv.removeIndex(["t"]), "CLOSED")
    })
  })
}
