// Sessions that end after a week without use, at the latest after a month, and all at once when their user
// says so.
import assert from "node:assert/strict"
import { createHash, randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { Kv, type KvKey } from "@buntime/keyval"

interface Session {
  device: string
  /** Of the login, ms since the epoch. */
  since: number
}

const kv = new Kv(":memory:")
const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS
const IDLE_MS = 7 * DAY_MS
const LONGEST_MS = 30 * DAY_MS

/**
 * A token names its user, so one key is enough. Its secret is stored as a hash: who reads the file cannot log
 * in.
 */
function keyOf(token: string): KvKey {
  const dot = token.lastIndexOf(".")
  const hash = createHash("sha256")
    .update(token.slice(dot + 1))
    .digest()
  return ["sessions", token.slice(0, Math.max(dot, 0)), hash]
}

/** Gives the token for the cookie. */
async function logIn(user: string, data: { device: string }, { idleMs = IDLE_MS, since = Date.now() } = {}) {
  const token = `${user}.${randomBytes(32).toString("base64url")}`
  await kv.set(keyOf(token), { ...data, since }, { expiresIn: idleMs })
  return token
}

/** Gives the session or null. Prolongs it, but not more than once an hour: `touch` is a write. */
async function sessionOf(token: string) {
  if (token.length > 200) return null
  const { key, value, expiresAt = 0 } = await kv.get<Session>(keyOf(token))
  if (value === null) return null
  const end = Math.min(Date.now() + IDLE_MS, value.since + LONGEST_MS)
  if (end - expiresAt > HOUR_MS) await kv.touch(key, { expiresIn: end - Date.now() })
  return { user: key[1], ...value }
}

const logOut = (token: string) => kv.delete(keyOf(token), { exact: true })
const logOutEverywhere = (user: string) => kv.delete(["sessions", user])

const phone = await logIn("1", { device: "phone" })
const laptop = await logIn("1", { device: "laptop" }, { idleMs: 2 * HOUR_MS })
const other = await logIn("10", { device: "phone" })
assert.equal((await sessionOf(phone))?.device, "phone")
for (const wrong of ["1.guessed", phone.slice(0, -1), ".", "", "x".repeat(5000)])
  assert.equal(await sessionOf(wrong), null)

// Use prolongs it to a week from now; value and versionstamp stay.
const before = await kv.get(keyOf(laptop))
await sessionOf(laptop)
const after = await kv.get(keyOf(laptop))
assert.ok(Number(after.expiresAt) - Number(before.expiresAt) > 6 * DAY_MS)
assert.equal(after.versionstamp, before.versionstamp)

// But never beyond a month.
const old = await logIn("1", { device: "tv" }, { idleMs: HOUR_MS, since: Date.now() - 29 * DAY_MS })
await sessionOf(old)
assert.ok(Number((await kv.get(keyOf(old))).expiresAt) <= Date.now() + DAY_MS)

// What has expired is absent.
const kiosk = await logIn("1", { device: "kiosk" }, { idleMs: 30 })
await sleep(60)
assert.equal(await sessionOf(kiosk), null)

await logOut(laptop)
assert.equal(await sessionOf(laptop), null)
assert.equal(await kv.count(["sessions", "1"]), 2)
await logOutEverywhere("1")
assert.equal(await sessionOf(phone), null)
assert.equal((await sessionOf(other))?.user, "10") // "1" is no prefix of "10"

await kv.close()
console.log("sessions: ok")
