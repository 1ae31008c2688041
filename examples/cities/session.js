import { deepStrictEqual, ok, strictEqual } from "node:assert"
import { setTimeout as sleep } from "node:timers/promises"

/** Time to live: an entry is never returned at or after its expiry, and `touch` puts the expiry off. */
export const session = {
  question: "Does a session expire, and does touching it keep it?",
  async ask(kv) {
    for (;;) {
      const answer = await follow(kv, ["session", "ada"])
      // On a machine that stood still for so long it was too late to look.
      if (answer !== undefined) return answer
    }
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

/** Its four states; nothing if one of them was over before it was read. */
async function follow(kv, key) {
  const begun = Date.now()
  await kv.set(key, { user: "Ada" }, { expiresIn: "500ms" })
  const fresh = await kv.get(key)
  await kv.touch(key, { expiresIn: "1s" })
  const touched = await kv.get(key)
  if (Date.now() >= begun + 500) return

  await sleepUntil(fresh.expiresAt)
  const kept = await kv.get(key)
  if (Date.now() >= touched.expiresAt) return
  await sleepUntil(touched.expiresAt)
  const expired = await kv.get(key)
  return { fresh, touched, kept, expired }
}

async function sleepUntil(time) {
  while (Date.now() < time) await sleep(time - Date.now())
}
