import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { type } from "arktype"
import * as v from "valibot"
import { z } from "zod"
import { collect, refused } from "../../support/assert.js"
import { useStore } from "../../support/store.js"

/** The same demands, by each library: a name of one letter or more, an age that defaults to 0. */
const schemas = {
  zod: z.object({ name: z.string().min(1), age: z.number().default(0) }),
  valibot: v.object({ name: v.pipe(v.string(), v.minLength(1)), age: v.optional(v.number(), 0) }),
  arktype: type({ name: "string > 0", age: "number = 0" }),
}

export function collection(target) {
  const store = useStore(target)

  for (const [library, schema] of Object.entries(schemas))
    describe(`collection: a schema of ${library}`, () => {
      test("the value that it returns is stored", async () => {
        const users = store.kv.collection(["users"], schema)
        assert.equal((await users.set(1, { name: "Ada" })).ok, true)
        assert.deepEqual((await store.kv.get(["users", 1])).value, { name: "Ada", age: 0 })
        assert.deepEqual((await users.get(1)).value, { name: "Ada", age: 0 })
      })

      test("a value that it refuses is not written, and the error says where and why", async () => {
        const users = store.kv.collection(["users"], schema)
        const error = await refused(
          () => users.set(1, { name: "", age: 5 }),
          "INVALID_ARGUMENT",
          /^value: name: /,
        )
        assert.ok(Array.isArray(error.cause) && error.cause.length > 0)
        await refused(() => users.set(1, { name: "Ada", age: "old" }), "INVALID_ARGUMENT", /age/)
        await refused(() => users.set(1, "Ada"), "INVALID_ARGUMENT", /^value: /)
        assert.equal(await users.count(), 0)
      })
    })

  describe("collection", () => {
    test("an asynchronous schema is awaited; one that throws rejects", async () => {
      const validate = async (value) => (value === "ok" ? { value: "fine" } : Promise.reject(new Error("no")))
      const words = store.kv.collection(["words"], { "~standard": { version: 1, vendor: "test", validate } })
      await words.set("a", "ok")
      assert.equal((await words.get("a")).value, "fine")
      await assert.rejects(() => words.set("b", "other"), /^Error: no$/)
      assert.equal(await words.count(), 1)
    })

    test("issues beyond the third are counted, and paths may be objects", async () => {
      const issues = ["a", "b", "c", "d", "e"].map((message, at) => ({
        message,
        path: [{ key: "list" }, at],
      }))
      const validate = () => ({ issues })
      const lists = store.kv.collection(["l"], { "~standard": { version: 1, vendor: "test", validate } })
      await refused(
        () => lists.set(1, []),
        "INVALID_ARGUMENT",
        /^value: list\.0: a; list\.1: b; list\.2: c; and 2 more$/,
      )
    })

    test("an id is one part or several; keys of others are not seen", async () => {
      const orders = store.kv.collection(["orders", "de"])
      await orders.set(1, "one")
      await orders.set(["2026", 2n], "two")
      await orders.set(Uint8Array.of(1), "bytes")
      await store.kv.set(["orders", "de"], "itself")
      await store.kv.set(["orders", "de\0"], "a sibling")
      assert.deepEqual(orders.key(["2026", 2n]), ["orders", "de", "2026", 2n])
      const listed = await collect(orders.list())
      assert.deepEqual(
        listed.map(({ value }) => value),
        ["bytes", "two", "one"],
      )
      assert.deepEqual(
        (await orders.getMany([["2026", 2n], 5])).map(({ value }) => value),
        ["two", null],
      )
      assert.equal(await orders.count(), 3)
    })

    test("delete takes one entry, not what is under it", async () => {
      const tree = store.kv.collection(["tree"])
      await tree.set("a", 1)
      await tree.set(["a", "b"], 2)
      assert.deepEqual(await tree.delete("a"), { success: true, deletedCount: 1 })
      assert.equal(await tree.count(), 1)
    })

    test("where and count filter; list takes options", async () => {
      const users = store.kv.collection(["users"])
      for (const [id, age] of [20, 30, 40].entries()) await users.set(id, { age })
      const old = await collect(users.where({ age: { $gte: 30 } }, { reverse: true }))
      assert.deepEqual(
        old.map(({ value }) => value.age),
        [40, 30],
      )
      assert.equal(await users.count({ age: 20 }), 1)
      assert.equal((await collect(users.list({ limit: 2 }))).length, 2)
      await refused(() => users.where({ age: { $gt: {} } }), "INVALID_ARGUMENT", /where\.age/)
    })

    test("expiry, and parse for commits of your own", async () => {
      const users = store.kv.collection(["users"], schemas.zod)
      await users.set(1, { name: "Ada" }, { expiresIn: "1h" })
      assert.ok((await users.get(1)).expiresAt > 0)
      await store.kv
        .atomic()
        .set(users.key(2), await users.parse({ name: "Grace" }))
        .commit()
      assert.deepEqual((await users.get(2)).value, { name: "Grace", age: 0 })
    })

    test("refusals", async () => {
      for (const prefix of [[], "users", undefined, { prefix: ["a"] }])
        await refused(() => store.kv.collection(prefix), "INVALID_ARGUMENT", /prefix/)
      const users = store.kv.collection(["users"])
      for (const call of [
        () => users.get([]),
        () => users.getMany([1, []]),
        () => users.set([], 1),
        () => users.delete([]),
      ])
        await refused(call, "INVALID_ARGUMENT", /^id: it is empty/)
      await refused(() => users.getMany(), "INVALID_ARGUMENT", /keys/)
      await refused(() => users.where(undefined), "INVALID_ARGUMENT", /^filter: it is missing/)
      for (const schema of [null, {}, { parse() {} }, "zod", { "~standard": {} }])
        await refused(() => store.kv.collection(["a"], schema), "INVALID_ARGUMENT", /schema/)
    })

    // Seen to fail: a TypeError of ours.
    test("what a schema gives that is no result is refused", async () => {
      for (const result of [undefined, null, true, "value", { issues: null }, { issues: "no" }]) {
        const schema = { "~standard": { version: 1, vendor: "test", validate: () => result } }
        await refused(() => store.kv.collection(["a"], schema).set(1, 1), "INVALID_ARGUMENT", /^schema: /)
      }
      assert.equal(await store.kv.count(["a"]), 0)
    })
  })
}
