import { deepStrictEqual, ok, strictEqual } from "node:assert"
import { setTimeout as sleep } from "node:timers/promises"

/** Time to live: an entry is never returned at or after its expiry, and `touch` puts the expiry off. */
export const session = {
  question: "Does a session expire, and does touching it keep it?",
  async ask(kv) {
    const key = ["session", "ada"]
    await kv.set(key, { user: "Ada" }, { expiresIn: "500ms" })
    const fresh = await kv.get(key)
    await kv.touch(key, { expiresIn: "1s" })
    const touched = await kv.get(key)

    await sleepUntil(fresh.expiresAt)
    const kept = await kv.get(key)
    await sleepUntil(touched.expiresAt)
    const expired = await kv.get(key)
    return { fresh, touched, kept, expired }
  },
  check({ fresh, touched, kept, expired }) {
    deepStrictEqual(fresh.value, { user: "Ada" })
    ok(touched.expiresAt > fresh.expiresAt, "touch puts the expiry off")
    strictEqual(touched.versionstamp, fresh.versionstamp, "touch is no change of the value")
    deepStrictEqual(kept, touched)
    strictEqual(expired.versionstamp, null, "an expired entry is absent")
  },
  show: ({ kept, expired }) => [
    `after 500 ms, touched in time: ${kept.versionstamp ? "there" : "gone"}`,
    `after 1 s: ${expired.versionstamp ? "there" : "gone"}`,
  ],
}

async function sleepUntil(time) {
  while (Date.now() < time) await sleep(time - Date.now())
}
