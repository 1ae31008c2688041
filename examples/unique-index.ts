// Users by id, and by an e-mail address that only one of them may have.
import assert from "node:assert/strict"
import { Kv, type KvTransaction } from "@buntime/keyval"

interface User {
  id: number
  email: string
}

const kv = new Kv(":memory:")
const byEmail = (email: string) => ["users-by-email", email.toLowerCase()]

/** Writes the user and the index in one commit, if neither exists. Gives what is taken, or null. */
async function register(user: User) {
  const result = await kv
    .atomic()
    .check({ key: ["users", user.id], versionstamp: null })
    .check({ key: byEmail(user.email), versionstamp: null })
    .set(["users", user.id], user)
    .set(byEmail(user.email), user.id)
    .commit()
  return result.ok ? null : result.conflicts[0]?.key[0]
}

async function findByEmail(email: string) {
  const { value: id } = await kv.get<number>(byEmail(email))
  return id === null ? null : (await kv.get<User>(["users", id])).value
}

/** Moves the index entry with the user. Gives false if the user is missing or the address is taken. */
async function changeEmail(id: number, email: string) {
  const change = async (tx: KvTransaction) => {
    const [user, holder] = await tx.getMany<[User, number]>([["users", id], byEmail(email)])
    if (user.versionstamp === null) return false
    if (holder.versionstamp !== null && holder.value !== id) return false
    tx.delete(byEmail(user.value.email))
    tx.set(byEmail(email), id)
    tx.set(["users", id], { ...user.value, email })
    return true
  }
  const { ok, value } = await kv.transaction(change, { maxRetries: 100, retryDelay: 1 })
  if (!ok) throw new Error("too many conflicts")
  return value
}

// Twenty at once want one address: one gets it.
const users = Array.from({ length: 20 }, (_, id) => ({ id, email: "Ada@example.org" }))
const taken = await Promise.all(users.map(register))
assert.equal(taken.filter((key) => key === null).length, 1)
assert.equal(taken.filter((key) => key === "users-by-email").length, 19)
assert.equal(await kv.count(["users"]), 1)

const ada = await findByEmail("ada@EXAMPLE.org")
assert.ok(ada)
assert.equal(await register({ id: ada.id, email: "new@example.org" }), "users")

// All others register, then all want one other address: one gets it, and frees its own.
for (const { id } of users) if (id !== ada.id) await register({ id, email: `user${id}@example.org` })
const changed = await Promise.all(users.map(({ id }) => changeEmail(id, "wanted@example.org")))
assert.equal(changed.filter(Boolean).length, 1)
assert.equal(await changeEmail(99, "nobody@example.org"), false)
const winner = await findByEmail("wanted@example.org")
assert.ok(winner)
assert.equal(await changeEmail(winner.id, "WANTED@example.org"), true)

// The index says what the users say, no more and no less.
assert.equal(await kv.count(["users-by-email"]), 20)
for await (const { value: user } of kv.list<User>(["users"]))
  assert.equal((await kv.get(byEmail(user.email))).value, user.id)

await kv.close()
console.log("unique-index: ok")
