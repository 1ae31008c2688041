// Feature flags: on for named users, for a share of all, or for nobody; read from a copy that a watch keeps.
import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { Kv, type KvSubscription } from "@buntime/keyval"

interface Rule {
  /** 0 to 100. */
  percent: number
  /** Ids that always have it. */
  users: string[]
}

/**
 * A number from 0 (inclusive) to 100 (exclusive): the same for a user and a flag in every process and for
 * ever.
 */
function positionOf(flag: string, user: string) {
  const hash = createHash("sha256").update(`${flag}\0${user}`).digest()
  return (hash.readUInt32BE(0) / 2 ** 32) * 100
}

class Flags {
  #kv: Kv
  #rules = new Map<string, Rule>()
  #watch: KvSubscription
  #loaded = () => {}
  /** Resolves when the copy is there. */
  ready = new Promise<void>((resolve) => {
    this.#loaded = resolve
  })

  constructor(kv: Kv) {
    this.#kv = kv
    this.#watch = kv.watch<Rule>({ prefix: ["flags"] }, (entries, { reset }) => {
      if (reset) this.#rules.clear()
      for (const { key, value, versionstamp } of entries) {
        const flag = String(key[1])
        if (versionstamp === null) this.#rules.delete(flag)
        else this.#rules.set(flag, value)
      }
      this.#loaded() // the first batch has all of them, up to 500
    })
  }

  async set(flag: string, { percent = 0, users = [] }: Partial<Rule>) {
    await this.#kv.set(["flags", flag], { percent, users })
  }

  /** Reads memory only: no promise. */
  isOn(flag: string, user: string) {
    const rule = this.#rules.get(flag)
    if (rule === undefined) return false
    return rule.users.includes(user) || positionOf(flag, user) < rule.percent
  }

  stop() {
    this.#watch.stop()
  }
}

const kv = new Kv(":memory:")
const flags = new Flags(kv)
await flags.ready
const users = Array.from({ length: 5000 }, (_, n) => `user${n}`)
const usersWith = (flag: string) => new Set(users.filter((user) => flags.isOn(flag, user)))

/** The watch reports a change within milliseconds; the programs of this page wait for it. */
async function until(holds: () => boolean) {
  const end = Date.now() + 60_000
  while (!holds()) {
    assert.ok(Date.now() < end)
    await sleep(5)
  }
}

await flags.set("search", { percent: 20, users: ["user7"] })
await until(() => flags.isOn("search", "user7"))
const twenty = usersWith("search")
assert.ok(twenty.size > 900 && twenty.size < 1100)

// A wider share keeps everybody who was in; another flag takes other users.
await flags.set("search", { percent: 50 })
await until(() => usersWith("search").size > 2000)
const fifty = usersWith("search")
assert.ok([...twenty].every((user) => user === "user7" || fifty.has(user)))
await flags.set("export", { percent: 20 })
await flags.set("all", { percent: 100 })
await until(() => flags.isOn("all", "user7"))
assert.notDeepEqual(usersWith("export"), twenty)
assert.equal(usersWith("all").size, users.length)
assert.equal(flags.isOn("unknown", "user7"), false)

// Another process switches one off and deletes another: it is seen here at once.
await kv.set(["flags", "all"], { percent: 0, users: [] })
await kv.delete(["flags", "search"])
await until(() => !flags.isOn("all", "user7") && usersWith("search").size === 0)

flags.stop()
await kv.close()
console.log("feature-flags: ok")
