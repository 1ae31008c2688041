import { Kv } from "@buntime/keyval"

const kv = new Kv("file:keyval.db") // made if it is missing

// Users, and a session that expires by itself.
await kv.set(["users", 1], { name: "Ada", credits: 100 })
await kv.set(["users", 2], { name: "Grace", credits: 50 })
await kv.set(["sessions", "s1"], { user: 1 }, { expiresIn: "7d" })

for await (const { key, value } of kv.list(["users"])) console.log(key, value.name)

// Applied only if Ada has not changed since she was read; the visit is counted in the same commit.
const ada = await kv.get(["users", 1])
const renamed = await kv
  .atomic()
  .check(ada)
  .set(["users", 1], { ...ada.value, name: "Ada Lovelace" })
  .sum(["visits"], 1)
  .commit()
const visits = await kv.get(["visits"])
console.log(renamed.ok, visits.value) // true 1n, and 2n when it runs again

// All or nothing; it runs again if somebody changed what it has read.
const pay = async (tx) => {
  const from = await tx.get(["users", 1])
  const to = await tx.get(["users", 2])
  tx.set(from.key, { ...from.value, credits: from.value.credits - 30 })
  tx.set(to.key, { ...to.value, credits: to.value.credits + 30 })
  return to.value.credits + 30
}
const payment = await kv.transaction(pay, { maxRetries: 5 })
console.log(payment.ok, payment.value) // true 80

await kv.close()
