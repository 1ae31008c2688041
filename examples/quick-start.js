import { Kv } from "@buntime/keyval"

const kv = new Kv("file:keyval.db") // created if it is missing

// Users, and a session that expires by itself.
await kv.set(["users", 1], { name: "Ada" })
await kv.set(["users", 2], { name: "Grace" })
await kv.set(["sessions", "s1"], { user: 1 }, { expiresIn: "7d" })

for await (const { key, value } of kv.list(["users"])) console.log(key, value)

// Applied only if Ada has not changed since she was read; the visit is counted in the same commit.
const ada = await kv.get(["users", 1])
const renamed = await kv
  .atomic()
  .check(ada)
  .patch(["users", 1], { name: "Ada Lovelace" })
  .sum(["visits"], 1)
  .commit()
console.log(renamed.ok, renamed.results?.[1]) // true 1n, and 2n when it runs again

// All or nothing; the function runs again if another writer changed what it has read.
await kv.set(["credits", 1], 100n)
await kv.set(["credits", 2], 50n)
const payment = await kv.transaction(async (tx) => {
  const { value } = await tx.get(["credits", 1])
  if (Number(value) < 30) return "refused"
  tx.sum(["credits", 1], -30).sum(["credits", 2], 30)
  return "paid"
})
console.log(payment.ok, payment.value) // true paid

await kv.close()
