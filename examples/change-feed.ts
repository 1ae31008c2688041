// A consumer of the change feed keeps an index: its position survives a restart, and one process at a time
// reads.
import assert from "node:assert/strict"
import { Kv, type KvChange, type KvTransaction } from "@buntime/keyval"

const kv = new Kv(":memory:")

/**
 * Updates the index to the key's current value. A change may be delivered twice (the process died before it
 * was committed), or be stale: so it reads the store instead of the change, and repeating it changes nothing.
 */
async function index({ key }: KvChange) {
  const run = async (tx: KvTransaction) => {
    const [user, indexed] = await tx.getMany<[{ city: string }, string]>([key, ["indexed", ...key]])
    const city = user.value?.city ?? null
    if (city === indexed.value) return
    if (indexed.value !== null) tx.delete(["by-city", indexed.value, ...key])
    if (city === null) tx.delete(["indexed", ...key])
    else tx.set(["by-city", city, ...key], null).set(["indexed", ...key], city)
  }
  const { ok } = await kv.transaction(run, { maxRetries: 50, retryDelay: 1 })
  if (!ok) throw new Error("too many conflicts")
}

/**
 * Reads until it has seen the change with this number. Changes that the loop's body has finished are
 * committed.
 */
async function indexUntil(last: number) {
  const consumer = kv.consumer("city-index", { prefix: ["users"], lease: "10s" })
  let count = 0
  for await (const change of consumer) {
    await index(change)
    count++
    if (change.seq >= last) break // this also gives the lease back
  }
  return count
}

const idsIn = async (city: string) => {
  const ids = []
  for await (const { key } of kv.list(["by-city", city], { keysOnly: true })) ids.push(key.at(-1))
  return ids
}
/** The number of the last change of a user. The index's own writes are changes too, of other keys. */
async function lastUserChange() {
  let seq = 0
  for await (const change of kv.changes({ prefix: ["users"] })) seq = change.seq
  return seq
}

for (let id = 1; id <= 20; id++) await kv.set(["users", id], { city: id % 2 ? "Rome" : "Oslo" })
await kv.delete(["users", 1])
assert.equal(await indexUntil(await lastUserChange()), 21)
assert.deepEqual(await idsIn("Rome"), [3, 5, 7, 9, 11, 13, 15, 17, 19])

// Later, in another process: it continues from its position.
await kv.set(["users", 3], { city: "Lima" })
await kv.delete(["users"])
await kv.set(["users", 21], { city: "Lima" })
const before = await kv.consumer("city-index").status()
assert.ok(before.position > 0 && before.lag > 0 && !before.held)
const count = await indexUntil(await lastUserChange())
// 19 of the delete, 2 sets, and at most the one at which the loop was left.
assert.ok(count >= 21 && count <= 22, `${count}`)
assert.deepEqual(await Promise.all(["Rome", "Oslo", "Lima"].map(idsIn)), [[], [], [21]])

// By hand, where a batch is applied at once: read, apply, commit.
const consumer = kv.consumer("counter", { prefix: ["users"] })
const counts = { create: 0, update: 0, delete: 0 }
for (;;) {
  const changes = await consumer.read(10)
  if (changes.length === 0) break
  for (const { type } of changes) counts[type]++
  await consumer.commit(changes.at(-1)?.seq ?? 0)
}
assert.deepEqual(counts, { create: 21, update: 1, delete: 20 })

// While one holds the lease, another is refused.
await assert.rejects(kv.consumer("counter").read(), { code: "BUSY" })
await consumer.release()
assert.deepEqual(await kv.consumer("counter").read(), [])

await kv.close()
console.log("change-feed: ok")
