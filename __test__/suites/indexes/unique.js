import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { plant } from "../../../dist/testing.js"
import { collect, refused } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

export function uniqueIndexes(target) {
  const store = useStore(target)

  describe("ordered index: unique", () => {
    // Seen to fail: sweep the whole store.
    test("making an index removes the expired entries of its prefix, and no others", async () => {
      const { kv } = store
      store.at(T0)
      for (const key of [["users", 1], ["other", 1], ["users"], ["userz", 1]])
        await kv.set(key, { mail: "a" }, { expiresIn: 1000 })
      await kv.set(["users", 2], { mail: "a" })
      store.at(T0 + 1000)
      const head = await kv.changes.head()
      await kv.createIndex(["users"], { on: ["mail"], unique: true })
      const changes = await collect(kv.changes({ from: head + 1 }))
      assert.deepEqual(
        changes.map(({ key, type }) => [key, type]),
        [[["users", 1], "delete"]],
      )
      await store.sweep()
      assert.equal(await kv.changes.head(), head + 4)
    })

    const conflict = (call, key) =>
      refused(call, "CONFLICT", new RegExp(`for the key ${JSON.stringify(key).replace(/[[\]]/g, "\\$&")}`))

    // SQLite's own index is over the text as it is stored, so that any program that has SQLite can write to
    // the file.
    test("a value with a damaged tag keeps its fields' values in the index until it is overwritten or deleted", async () => {
      const { kv } = store
      await kv.createIndex(["users"], { on: ["mail"], unique: true })
      const damaged = '{"mail":"a","since":{"__type":"date","value":"5"}}'
      for (const free of [() => kv.set(["users", 1], { mail: "b" }), () => kv.delete(["users", 1])]) {
        await kv.delete({ prefix: ["users"] })
        await plant(kv, ["users", 1], damaged)
        await refused(() => kv.get(["users", 1]), "CORRUPT", /"users", 1/)
        await conflict(() => kv.set(["users", 2], { mail: "a" }), ["users", 1])
        await free()
        await kv.set(["users", 2], { mail: "a" })
      }
    })

    test("refuses a second entry with the same values, and names the first", async () => {
      const { kv } = store
      await kv.createIndex(["users"], { on: ["mail"], unique: true })
      await kv.set(["users", 1], { mail: "ada@example.com" })
      await conflict(() => kv.set(["users", 2], { mail: "ada@example.com" }), ["users", 1])
      assert.equal((await kv.get(["users", 2])).versionstamp, null)
      await kv.set(["users", 1], { mail: "ada@example.com", name: "Ada" })
      await kv.set(["others", 2], { mail: "ada@example.com" })
      await kv.delete(["users", 1])
      await kv.set(["users", 2], { mail: "ada@example.com" })
    })

    test("nothing of the commit is applied, and those of the same tick are not disturbed", async () => {
      const { kv } = store
      await kv.createIndex(["users"], { on: ["mail"], unique: true })
      await kv.set(["users", 1], { mail: "a" })
      const calls = [
        kv.set(["users", 2], { mail: "b" }),
        kv.atomic().set(["n"], 1).set(["users", 3], { mail: "a" }).commit(),
        kv.set(["users", 4], { mail: "c" }),
      ]
      const [one, two, three] = await Promise.allSettled(calls)
      assert.deepEqual([one.status, two.status, three.status], ["fulfilled", "rejected", "fulfilled"])
      assert.equal(two.reason.code, "CONFLICT")
      assert.equal((await kv.get(["n"])).versionstamp, null)
      assert.equal(await kv.count(["users"]), 3)
    })

    test("of several fields together; an entry without a value conflicts with none", async () => {
      const { kv } = store
      await kv.createIndex(["seats"], { on: ["row", "seat"], unique: true })
      await kv.set(["seats", 1], { row: 1, seat: "A" })
      await kv.set(["seats", 2], { row: 1, seat: "B" })
      await conflict(() => kv.set(["seats", 3], { row: 1n, seat: "A" }), ["seats", 1])
      for (const id of [4, 5]) await kv.set(["seats", id], { row: 1 })
      for (const id of [6, 7]) await kv.set(["seats", id], { row: 1, seat: null })
      for (const id of [8, 9]) await kv.set(["seats", id], Uint8Array.of(1))
      assert.equal(await kv.count(["seats"]), 8)
    })

    test("numbers, bigints and dates are distinguished exactly", async () => {
      const { kv } = store
      await kv.createIndex(["n"], { on: ["v"], unique: true })
      const values = [2n ** 80n, 2n ** 80n + 1n, 2 ** 53, 0.1, 0.2, "1", true, false, new Date(7), -5n]
      for (const [at, v] of values.entries()) await kv.set(["n", at], { v })
      for (const [at, v] of values.entries()) await conflict(() => kv.set(["n", "again"], { v }), ["n", at])
      await conflict(() => kv.set(["n", "again"], { v: 7 }), ["n", 8])
    })

    // Seen to fail: with the numbers that JSON lacks left out of the index.
    test("infinities and -0 are numbers like others; NaN equals nothing", async () => {
      const { kv } = store
      await kv.createIndex(["n"], { on: ["v"], unique: true })
      for (const [at, v] of [0, Infinity, -Infinity, NaN, NaN].entries()) await kv.set(["n", at], { v })
      for (const [v, at] of [
        [-0, 0],
        [0n, 0],
        [Infinity, 1],
        [-Infinity, 2],
      ])
        await conflict(() => kv.set(["n", "again"], { v }), ["n", at])
    })

    test("an expired entry makes room", async () => {
      const { kv } = store
      store.at(T0)
      await kv.createIndex(["users"], { on: ["mail"], unique: true })
      await kv.set(["users", 1], { mail: "a" }, { expiresIn: 10 })
      await conflict(() => kv.set(["users", 2], { mail: "a" }), ["users", 1])
      store.at(T0 + 10)
      await kv.set(["users", 2], { mail: "a" })
      const types = (await collect(kv.changes())).map(({ type, key }) => [type, key[1]])
      assert.deepEqual(
        types.toSorted(),
        [
          ["create", 1],
          ["create", 2],
          ["delete", 1],
        ].toSorted(),
      )
    })

    test("cannot be made where two entries have the same values, but for expired ones", async () => {
      const { kv } = store
      store.at(T0)
      await kv.set(["users", 1], { mail: "a" }, { expiresIn: 10 })
      await kv.set(["users", 2], { mail: "a" })
      await refused(
        () => kv.createIndex(["users"], { on: ["mail"], unique: true }),
        "CONFLICT",
        /^on: two entries/,
      )
      assert.deepEqual(await kv.listIndexes(), [])
      store.at(T0 + 10)
      await kv.createIndex(["users"], { on: ["mail"], unique: true })
    })
  })
}
