// One leader of several processes, by a lock that ends by itself. A leader that was paused for too long finds
// out by its fencing token: what it protects refuses an old one.
import assert from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { type Duration, Kv, type KvLock, type KvTransaction } from "@buntime/keyval"

/** Tries to be the leader for a term. The present leader prolongs it by this: same owner, same token. */
const lead = (kv: Kv, name: string, term: Duration = "10s") =>
  kv.lock("leader", { owner: name, duration: term })

interface Schedule {
  token: bigint
  value: string
}

/** Writes only under the newest token that was seen: check and write are one commit. */
async function publish(kv: Kv, token: bigint, value: string) {
  const write = async (tx: KvTransaction) => {
    const { key, value: before } = await tx.get<Schedule>(["schedule"])
    if (before !== null && before.token > token) return false
    tx.set(key, { token, value })
    return true
  }
  const { ok, value: written } = await kv.transaction(write, { maxRetries: 50, retryDelay: 1 })
  if (!ok) throw new Error("too many conflicts")
  return written
}

const kv = new Kv(":memory:") // each process would open the same file

// Of several that ask at once, one is the leader. Nobody waits: who did not get it asks again after
// `expiresAt`.
const asked = await Promise.all(["a", "b", "c"].map((name) => lead(kv, name)))
const [first, next, last] = asked.toSorted((x, y) => Number(y.acquired) - Number(x.acquired)) as [
  KvLock,
  KvLock,
  KvLock,
]
assert.equal(first.acquired, true)
assert.ok([next, last].every(({ acquired, token }) => !acquired && token === 0n))
assert.equal(await publish(kv, first.token, "written by the first leader"), true)

// It prolongs its term; here by little, so that this program need not wait for 10 s.
const again = await lead(kv, first.owner, 50)
assert.equal(again.token, first.token)

// The leader hangs (a long pause, a machine that sleeps), and its term ends.
await sleep(100)
assert.equal((await kv.lock.status("leader")).held, false)
const second = await lead(kv, next.owner)
assert.equal(second.acquired, true)
assert.ok(second.token > first.token)
assert.equal(await publish(kv, second.token, "written by the second leader"), true)

// It wakes and still believes that it leads: its write is refused.
assert.equal(await publish(kv, first.token, "too late"), false)
assert.equal((await kv.get<Schedule>(["schedule"])).value?.value, "written by the second leader")
assert.deepEqual(await first.release(), { ok: false })

// A leader that goes gives the lock back: nobody has to wait for the end of its term.
assert.deepEqual(await second.release(), { ok: true })
assert.equal((await lead(kv, "c")).acquired, true)

await kv.close()
console.log("lock: ok")
