// KeyVal in TypeScript: what a get gives, keys as functions, a result that is checked before it is used.
// `bun examples/typed.ts`, or Node 22.18 or newer: `node examples/typed.ts`.
import assert from "node:assert/strict"
import { Kv, type KvEntryMaybe, KvError, type KvKey } from "@buntime/keyval"

interface User {
  name: string
  joined: Date
  email?: string
}

/** Keys in one place: a misspelt one does not compile. */
const keys = {
  user: (id: number): KvKey => ["users", id],
  users: ["users"] as KvKey,
  logins: (id: number): KvKey => ["logins", id],
}

async function rename(kv: Kv, id: number, name: string): Promise<User | null> {
  const result = await kv.transaction(
    async (tx) => {
      const user = await tx.get<User>(keys.user(id))
      if (user.versionstamp === null) return null
      const renamed: User = { ...user.value, name }
      tx.set(user.key, renamed)
      return renamed
    },
    { maxRetries: 5 },
  )
  if (!result.ok) throw new Error("too many conflicts")
  return result.value
}

const kv = new Kv(":memory:")
await kv.set(keys.user(1), { name: "Ada", joined: new Date(0) } satisfies User)

// The value is User | null until the versionstamp says that it is there.
const entry: KvEntryMaybe<User> = await kv.get<User>(keys.user(1))
assert.ok(entry.versionstamp !== null)
const year: number = entry.value.joined.getUTCFullYear()
assert.equal(year, 1970)

const renamed = await rename(kv, 1, "Ada Lovelace")
assert.equal(renamed?.name, "Ada Lovelace")
assert.equal(await rename(kv, 2, "nobody"), null)

const names: string[] = []
for await (const { value } of kv.list<User>(keys.users)) names.push(value.name)
assert.deepEqual(names, ["Ada Lovelace"])

// A counter is a bigint.
await kv.atomic().sum(keys.logins(1), 1n).commit()
const logins: bigint = (await kv.get<bigint>(keys.logins(1))).value ?? 0n
assert.equal(logins, 1n)

try {
  await kv.atomic().sum(keys.user(1), 1n).commit()
  assert.fail("a user is no counter")
} catch (error) {
  assert.ok(error instanceof KvError)
  assert.equal(error.code, "TYPE_MISMATCH")
}

await kv.close()
console.log("typed: ok")
