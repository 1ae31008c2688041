// holder.js <file> <journal> <name> <seed> <duration in ms> <sweep interval in ms> [<owner>]: takes a lock
// again and again until its stdin ends. Notes `hold <name> <token> <now> <expires at> <owner>` once it has
// it, `noted <name> <now>` when that is written, and `release <name> <token>` before it gives it back. What
// the lock protects is the key ["guarded"], which refuses a token smaller than the stored one.
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { Random } from "../../../support/random.js"
import { hear, journal, print } from "../lines.js"

const [file, path, name, seed, duration, sweepInterval, owner] = process.argv.slice(2)
const random = new Random(Number(seed))
const note = journal(path)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: Number(sweepInterval) })
let stopped = false

/** A write under a token: "accepted", or "refused" if a later holder has written. */
async function write(token) {
  const { ok, value } = await kv.transaction(
    async (tx) => {
      const { value } = await tx.get(["guarded"])
      if (value !== null && value.token > token) return "refused"
      tx.set(["guarded"], { token, name })
      return "accepted"
    },
    { maxRetries: 1000, retryDelay: 1 },
  )
  if (!ok) throw new Error("the write outlasted its retries")
  note(value, name, token)
}

async function hold({ token, expiresAt, release }) {
  const writes = 1 + random.int(3)
  for (let at = 0; at < writes; at++) {
    await wait(random.int(10))
    await write(token)
  }
  if (random.chance(0.3)) {
    // Overstays its lock, as a process that was paused does, and writes as if it had it still.
    await wait(Math.max(expiresAt - Date.now(), 0) + random.int(60))
    await write(token)
  }
  if (random.chance(0.1)) return
  note("release", name, token)
  const { ok } = await release()
  note(ok ? "released" : "late", name, token)
}

async function live() {
  while (!stopped) {
    const lock = await kv.lock("the lock", { duration: Number(duration), ...(owner ? { owner } : {}) })
    const { acquired, token, expiresAt } = lock
    if (acquired) {
      note("hold", name, token, Date.now(), expiresAt, lock.owner)
      note("noted", name, Date.now())
      await hold({ token, expiresAt, release: () => lock.release() })
    } else if (token !== 0n) throw new Error(`a lock that was not acquired has the token ${token}`)
    await wait(random.int(12))
  }
}

hear({
  end() {
    stopped = true
  },
})
print("trying")
await live()
await kv.close()
process.exit()
