import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { setClock } from "../../../dist/testing.js"
import { keysOf } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

const WORDS = { fields: ["text"], tokenize: "porter" }
const VALUES = { on: ["city", "age"] }
const UNIQUE = { on: ["mail"], unique: true }

export function createIndex(target) {
  const store = useStore(target)
  /** When each index was built, by its name. */
  const built = async () =>
    Object.fromEntries((await store.kv.listIndexes()).map(({ name, createdAt }) => [name, createdAt]))

  describe("indexes: an existing one", () => {
    // Seen to fail: each call built the index again, one second later.
    test("is not built again by the same call, also by several at once", async () => {
      const { kv } = store
      setClock(kv, T0)
      for (const options of [WORDS, VALUES, UNIQUE]) await kv.createIndex(["docs"], options)
      await kv.set(["docs", 1], { text: "rain", city: "Bern", age: 1, mail: "a" })
      setClock(kv, T0 + 1000)
      const again = [WORDS, VALUES, UNIQUE, { ...VALUES, unique: false }]
      await Promise.all([...again, ...again].map((options) => kv.createIndex(["docs"], options)))
      assert.deepEqual(await built(), { search: T0, "city,age": T0, mail: T0 })
      assert.deepEqual(await keysOf(kv, ["docs"], { where: { city: "Bern" } }), [["docs", 1]])
    })

    test("is built again by another definition, and beside that of another prefix", async () => {
      const { kv } = store
      setClock(kv, T0)
      for (const options of [WORDS, VALUES, UNIQUE]) await kv.createIndex(["docs"], options)
      await kv.set(["docs", 1], { text: "rain", title: "storm", city: "Bern", age: 1, mail: "a" })
      const changed = [
        [{ fields: ["text"] }, "search"],
        [{ fields: ["text", "title"] }, "search"],
        [{ ...VALUES, unique: true }, "city,age"],
        [{ ...UNIQUE, unique: false }, "mail"],
      ]
      for (const [at, [options, name]] of changed.entries()) {
        setClock(kv, T0 + 1000 * (at + 1))
        await kv.createIndex(["docs"], options)
        assert.equal((await built())[name], T0 + 1000 * (at + 1), name)
      }
      assert.equal((await kv.listIndexes()).length, 3)
      await kv.createIndex(["docs", 1], VALUES)
      assert.equal((await kv.listIndexes()).length, 4)
      await kv.removeIndex(["docs"], "search")
      await kv.createIndex(["docs"], WORDS)
      const found = []
      for await (const { key } of kv.search(["docs"], "rains")) found.push(key)
      assert.deepEqual(found, [["docs", 1]])
    })
  })
}
