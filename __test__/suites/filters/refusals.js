import assert from "node:assert/strict"
import { test } from "node:test"
import { inspect } from "node:util"
import { refused, snapshot } from "../../support/assert.js"
import { useStore } from "../../support/store.js"
import * as bad from "../../support/tables/bad-filters.js"

/** Every call that takes a filter. */
const CALLS = {
  list: (kv, where) => kv.list(["a"], { where }),
  paginate: (kv, where) => kv.paginate(["a"], { where }),
  count: (kv, where) => kv.count({ prefix: [] }, { where }),
  async search(kv, where) {
    if ((await kv.listIndexes()).length === 0) await kv.createIndex(["a"], { fields: ["text"] })
    return kv.search(["a"], "word", { where })
  },
  explain: async (kv, where) => (await kv.explain(["a"], where)).index ?? 0,
  "where of a collection": (kv, where) => kv.collection(["a"]).where(where),
  "delete of a key": (kv, where) => kv.delete(["a"], { where }),
  "delete of a key, exact": (kv, where) => kv.delete(["a"], { where, exact: true }),
  "delete of keys": (kv, where) => kv.delete([["a"], ["b"]], { where }),
  "delete of everything": (kv, where) => kv.delete({ prefix: [] }, { where }),
}

/**
 * What is no filter is refused with its place, and deletes nothing. Seen to fail: skip operators that are not
 * known.
 */
export function whereRefusals(target) {
  const store = useStore(target)

  async function untouched(check) {
    await store.kv.setMany([
      { key: ["a"], value: { a: 1 } },
      { key: ["a", 1], value: 5 },
      { key: ["b"], value: { a: 1 } },
    ])
    const before = await snapshot(store.kv)
    await check(store.kv)
    assert.deepEqual(await snapshot(store.kv), before)
  }

  for (const [name, call] of Object.entries(CALLS)) {
    test(`${name}: an invalid filter is refused`, () =>
      untouched(async (kv) => {
        for (const [make, code, ...said] of bad.filters) {
          const filter = make(kv)
          const error = await refused(() => call(kv, filter), code, ...said)
          assert.ok(error.message.startsWith("where"), error.message)
          assert.ok(error.message.length < 3000, `${error.message.slice(0, 100)}…`)
        }
      }))

    test(`${name}: a filter at a limit is accepted`, () =>
      untouched(async (kv) => {
        for (const filter of bad.atTheLimit) {
          const given = await call(kv, filter)
          if (given[Symbol.asyncIterator])
            assert.deepEqual(await given.next(), { done: true, value: undefined })
          else if ("entries" in Object(given)) assert.deepEqual(given.entries, [])
          else assert.equal(given.deletedCount ?? given, 0)
        }
      }))
  }

  test("a misspelt operator: the error names the intended one", async () => {
    for (const [wrong, meant] of Object.entries(bad.misspelt)) {
      const error = await refused(
        () => store.kv.count(["a"], { where: { a: { [wrong]: 1 } } }),
        "INVALID_ARGUMENT",
      )
      assert.equal(error.message, `where.a.${wrong}: there is no operator ${wrong}; did you mean ${meant}?`)
    }
  })

  test("a list throws at once, before its loop", () => {
    assert.throws(() => store.kv.list(["a"], { where: { a: { $eqq: 1 } } }), { code: "INVALID_ARGUMENT" })
  })

  test("an error of the program's own passes through", async () => {
    const where = {
      get a() {
        throw new RangeError("mine")
      },
    }
    await assert.rejects(() => store.kv.count(["a"], { where }), RangeError)
    await assert.rejects(() => store.kv.delete(["a"], { where }), RangeError)
  })

  test("a filter where none is taken", async () => {
    const where = { a: 1 }
    for (const call of [
      (kv) => kv.get(["a"], { where }),
      (kv) => kv.set(["a"], 1, { where }),
      (kv) => kv.count({ prefix: [], where }),
      (kv) => kv.delete({ prefix: [], where }),
      (kv) => kv.changes({ where }),
    ])
      await untouched((kv) => refused(() => call(kv), "INVALID_ARGUMENT", /where/))
  })

  test("a filter's text is never part of SQL", async () => {
    await untouched(async (kv) => {
      for (const text of ["'", "a'; DROP TABLE entries; --", "%", "_", "*", "?", '"', "\0"])
        for (const where of [{ a: text }, { a: { $contains: text } }, { [text.replace(".", "")]: 1 }])
          assert.equal(await kv.count({ prefix: [] }, { where }), 0, inspect(where))
    })
  })
}
