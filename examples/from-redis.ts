// Redis programs, written with KeyVal: strings, counters, hashes, sets, capped lists, sorted sets, WATCH and
// MULTI.
import assert from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { Kv } from "@buntime/keyval"

const kv = new Kv(":memory:")

// SET greeting hello EX 60, then GET and PTTL
await kv.set(["greeting"], "hello", { expiresIn: "60s" })
const { value, expiresAt } = await kv.get(["greeting"])
assert.equal(value, "hello")
assert.ok(expiresAt !== undefined && expiresAt - Date.now() <= 60_000)

// SET lock me NX PX 30000: only the first gets it; PEXPIRE lock 30
const acquire = (owner: string) =>
  kv
    .atomic()
    .check({ key: ["lock"], versionstamp: null })
    .set(["lock"], owner, { expiresIn: "30s" })
    .commit()
const holders = await Promise.all(["a", "b", "c"].map(acquire))
assert.equal(holders.filter(({ ok }) => ok).length, 1)
await kv.touch(["lock"], { expiresIn: 30 })
await sleep(60)
assert.equal((await acquire("d")).ok, true)

// INCR hits and INCRBY hits 10: the new values come with the commit
const { results } = await kv.atomic().sum(["hits"], 1).sum(["hits"], 10).commit()
assert.deepEqual(results, [1n, 11n])

// HSET user:1 name Ada, HINCRBY user:1 logins 1, HGETALL: one key a field, if fields change by themselves
await kv.atomic().set(["user", 1, "name"], "Ada").sum(["user", 1, "logins"], 1).commit()
const user: Record<string, unknown> = {}
for await (const { key, value } of kv.list(["user", 1])) user[String(key.at(-1))] = value
assert.deepEqual(user, { logins: 1n, name: "Ada" })

// SADD tags red blue red, SISMEMBER, SCARD, SMEMBERS: one key a member
await Promise.all(["red", "blue", "red"].map((tag) => kv.set(["tags", tag], null)))
assert.notEqual((await kv.get(["tags", "red"])).versionstamp, null)
assert.equal(await kv.count(["tags"]), 2)

// LPUSH recent x, LTRIM recent 0 9: a short list is one array, changed in a transaction
const remember = (item: number) =>
  kv.transaction(
    async (tx) => {
      const { key, value } = await tx.get<number[]>(["recent"])
      tx.set(key, [item, ...(value ?? [])].slice(0, 10))
    },
    { maxRetries: 100, retryDelay: 1 },
  )
for (let n = 1; n <= 12; n++) await remember(n)
assert.deepEqual((await kv.get(["recent"])).value, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3])

// RPUSH and LPOP: a long list is one key an item, in commit order; popping is a check and a delete
const push = (job: string) => kv.set(["jobs", kv.commitVersionstamp()], job)
async function pop() {
  for (;;) {
    const { value: first } = await kv.list<string>(["jobs"], { limit: 1 }).next()
    if (first === undefined) return null
    if ((await kv.atomic().check(first).delete(first.key).commit()).ok) return first.value
  }
}
for (let n = 0; n < 20; n++) await push(`job ${n}`)
const popped = await Promise.all(Array.from({ length: 25 }, pop))
assert.equal(new Set(popped.filter(Boolean)).size, 20) // each once
assert.equal(popped.filter((job) => job === null).length, 5)

// ZADD, ZREVRANGE board 0 1: see leaderboard.js

// WATCH from to, GET, MULTI, DECRBY, INCRBY, EXEC
await kv.atomic().sum(["balance", "a"], 100).commit()
const move = (amount: bigint) =>
  kv.transaction(
    async (tx) => {
      const from = await tx.get<bigint>(["balance", "a"])
      if ((from.value ?? 0n) < amount) return false
      tx.sum(["balance", "a"], -amount).sum(["balance", "b"], amount)
      return true
    },
    { maxRetries: 100, retryDelay: 1 },
  )
const moved = await Promise.all(Array.from({ length: 6 }, () => move(30n)))
assert.equal(moved.filter(({ ok, value }) => ok && value).length, 3)
assert.deepEqual([(await kv.get(["balance", "a"])).value, (await kv.get(["balance", "b"])).value], [10n, 90n])

// SCAN 0 MATCH user:1:* COUNT 100, then UNLINK
const page = await kv.paginate(["user", 1], { limit: 1 })
assert.equal(page.hasMore, true)
assert.equal((await kv.delete(["user", 1])).deletedCount, 2)

await kv.close()
console.log("from-redis: ok")
