// A collection with a schema by hand. Any library that follows Standard Schema (zod, valibot, arktype) gives
// one.
import assert from "node:assert/strict"
import { Kv, type KvSchema } from "@buntime/keyval"

const user: KvSchema<{ name: string; age?: number }, { name: string; age: number }> = {
  "~standard": {
    version: 1,
    vendor: "by-hand",
    validate(value) {
      const { name, age = 0 } = Object(value)
      if (typeof name !== "string" || name === "")
        return { issues: [{ message: "a name is missing", path: ["name"] }] }
      if (!Number.isInteger(age)) return { issues: [{ message: "not a whole number", path: ["age"] }] }
      return { value: { name, age } }
    },
  },
}

const kv = new Kv(":memory:")
const users = kv.collection(["users"], user)

await users.set(1, { name: "Ada", age: 36 })
await users.set(2, { name: "Grace" })
assert.deepEqual((await users.get(2)).value, { name: "Grace", age: 0 }) // with its default
await assert.rejects(() => users.set(3, { name: "" }), /value: name: a name is missing/)
assert.equal(await users.count(), 2)

const adults = []
for await (const { value } of users.where({ age: { $gte: 18 } })) adults.push(value.name)
assert.deepEqual(adults, ["Ada"])

// In a commit of your own.
await kv
  .atomic()
  .set(users.key(3), await users.parse({ name: "Mary", age: 42 }))
  .sum(["count", "users"], 1)
  .commit()
assert.equal((await users.get(3)).value?.name, "Mary")
assert.deepEqual(await users.delete(3), { success: true, deletedCount: 1 })

await kv.close()
console.log("collection: ok")
