// Feature flags: on for named users, for a share of all, or for nobody; read from a copy that is at most a second old.
import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { Kv } from "@buntime/keyval"

/** A number from 0 (inclusive) to 100 (exclusive): the same for a user and a flag in every process and for ever. */
function positionOf(flag, user) {
  const hash = createHash("sha256").update(`${flag}\0${user}`).digest()
  return (hash.readUInt32BE(0) / 2 ** 32) * 100
}

class Flags {
  #kv
  #maxAgeMs
  #copy
  #readAt = Number.NEGATIVE_INFINITY

  constructor(kv, maxAgeMs = 1000) {
    this.#kv = kv
    this.#maxAgeMs = maxAgeMs
  }

  /** `{ percent: 0 to 100, users: ids that always have it }` */
  async set(flag, { percent = 0, users = [] }) {
    await this.#kv.set(["flags", flag], { percent, users })
    this.#readAt = Number.NEGATIVE_INFINITY
  }

  async isOn(flag, user, now = Date.now()) {
    if (now - this.#readAt >= this.#maxAgeMs) {
      this.#readAt = now
      this.#copy = this.#read()
    }
    const rule = (await this.#copy).get(flag)
    if (rule === undefined) return false
    return rule.users.includes(user) || positionOf(flag, user) < rule.percent
  }

  /** All flags, from one list. A failed read is not kept. */
  async #read() {
    try {
      const rules = new Map()
      for await (const { key, value } of this.#kv.list(["flags"])) rules.set(key[1], value)
      return rules
    } catch (error) {
      this.#readAt = Number.NEGATIVE_INFINITY
      throw error
    }
  }
}

const kv = new Kv(":memory:")
const flags = new Flags(kv)
const users = Array.from({ length: 5000 }, (_, n) => `user${n}`)
const usersWith = async (flag, now) => {
  const on = await Promise.all(users.map((user) => flags.isOn(flag, user, now)))
  return new Set(users.filter((_, at) => on[at]))
}

await flags.set("search", { percent: 20, users: ["user7"] })
const twenty = await usersWith("search")
assert.ok(twenty.size > 900 && twenty.size < 1100)
assert.ok(twenty.has("user7"))

// A wider share keeps everybody who was in; another flag takes other users.
await flags.set("search", { percent: 50 })
const fifty = await usersWith("search")
assert.ok([...twenty].every((user) => user === "user7" || fifty.has(user)))
await flags.set("export", { percent: 20 })
assert.notDeepEqual(await usersWith("export"), twenty)

await flags.set("all", { percent: 100 })
await flags.set("none", { percent: 0 })
assert.equal((await usersWith("all")).size, users.length)
assert.equal((await usersWith("none")).size, 0)
assert.equal(await flags.isOn("unknown", "user7"), false)

// Another process switches it off: it is seen when the copy is a second old.
const now = Date.now() + 10_000
assert.equal(await flags.isOn("all", "user7", now), true)
await kv.set(["flags", "all"], { percent: 0, users: [] })
assert.equal(await flags.isOn("all", "user7", now + 999), true)
assert.equal(await flags.isOn("all", "user7", now + 1000), false)

await kv.close()
console.log("feature-flags: ok")
