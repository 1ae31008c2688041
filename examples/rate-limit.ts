// Two rate limits: a fixed window, which is one blind write, and a token bucket, which is a transaction.
import assert from "node:assert/strict"
import { Kv, type KvTransaction } from "@buntime/keyval"

// These counts may be lost in a power cut, so they need not wait for the disk: "normal".
const kv = new Kv(":memory:", { durability: "normal" })

/** At most `limit` calls in each window. Around the border of two windows up to twice as many can pass. */
async function fixedWindow(
  client: string,
  { limit, windowMs }: { limit: number; windowMs: number },
  now = Date.now(),
) {
  const key = ["window", client, Math.floor(now / windowMs)]
  const { results } = await kv.atomic().sum(key, 1, { expiresIn: windowMs }).commit()
  return results[0] <= limit
}

/** Bursts of at most `capacity` calls, and `perSecond` calls on average. A refused call writes nothing. */
async function tokenBucket(
  client: string,
  { capacity, perSecond }: { capacity: number; perSecond: number },
  now = Date.now(),
) {
  const take = async (tx: KvTransaction) => {
    const { key, value } = await tx.get<{ tokens: number; at: number }>(["bucket", client])
    const { tokens, at } = value ?? { tokens: capacity, at: now }
    const filled = Math.min(capacity, tokens + (Math.max(0, now - at) * perSecond) / 1000)
    if (filled < 1) return { allowed: false, retryAfterMs: Math.ceil(((1 - filled) * 1000) / perSecond) }
    // A full bucket need not be stored: it expires when it would be full again.
    tx.set(
      key,
      { tokens: filled - 1, at: Math.max(now, at) },
      { expiresIn: Math.ceil((capacity * 1000) / perSecond) },
    )
    return { allowed: true, retryAfterMs: 0 }
  }
  const { ok, value } = await kv.transaction(take, { maxRetries: 100, retryDelay: 1 })
  return ok ? value : { allowed: false, retryAfterMs: 1000 }
}

type Answer = boolean | { allowed: boolean }
const isAllowed = (answer: Answer) => answer === true || (answer !== false && answer.allowed)
/** How many of so many calls at once are allowed. */
const together = async (count: number, call: () => Promise<Answer>) =>
  (await Promise.all(Array.from({ length: count }, call))).filter(isAllowed).length

// The time is given, so that the result does not depend on the clock.
const start = 1_000_000
const perMinute = { limit: 10, windowMs: 60_000 }
assert.equal(await together(30, () => fixedWindow("ada", perMinute, start)), 10)
assert.equal(await together(30, () => fixedWindow("ada", perMinute, start + 60_000)), 10)
assert.equal(await together(5, () => fixedWindow("bob", perMinute, start)), 5)

const bucket = { capacity: 10, perSecond: 0.5 }
assert.equal(await together(30, () => tokenBucket("ada", bucket, start)), 10)
assert.deepEqual(await tokenBucket("ada", bucket, start + 1000), { allowed: false, retryAfterMs: 1000 })
assert.equal(await together(30, () => tokenBucket("ada", bucket, start + 10_000)), 5)
assert.equal(await together(30, () => tokenBucket("bob", bucket, start)), 10)

// Both clean up behind themselves.
for await (const { expiresAt } of kv.list({ prefix: [] })) assert.ok(expiresAt !== undefined)
assert.equal((await tokenBucket("eve", bucket)).allowed, true)

await kv.close()
console.log("rate-limit: ok")
