// A cache in front of something slow. When an entry is missing, one caller loads it, the others wait: also
// across processes.
import assert from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { Kv } from "@buntime/keyval"

class Cache<T> {
  #kv: Kv
  #load: (id: string) => Promise<T>
  #loading = new Map<string, Promise<T>>()

  constructor(kv: Kv, load: (id: string) => Promise<T>) {
    this.#kv = kv
    this.#load = load
  }

  async get(id: string): Promise<T> {
    const { value, versionstamp } = await this.#kv.get<T>(["cache", id])
    if (versionstamp !== null) return value
    // Callers of this process share one promise.
    const loading = this.#loading.get(id) ?? this.#fill(id).finally(() => this.#loading.delete(id))
    this.#loading.set(id, loading)
    return loading
  }

  forget(id: string) {
    return this.#kv.delete(["cache", id])
  }

  /** Whoever creates the lease loads; it expires by itself if its holder dies. */
  async #fill(id: string): Promise<T> {
    const lease = ["cache-lease", id]
    let stamp: string
    while (true) {
      const taken = await this.#kv
        .atomic()
        .check({ key: lease, versionstamp: null })
        .check({ key: ["cache", id], versionstamp: null })
        .set(lease, null, { expiresIn: "10s" })
        .commit()
      if (taken.ok) {
        stamp = taken.versionstamp
        break
      }
      const { value, versionstamp } = await this.#kv.get<T>(["cache", id])
      if (versionstamp !== null) return value
      await sleep(20)
    }
    try {
      const value = await this.#load(id)
      // Some seconds more or less, so that what was loaded together does not expire together.
      const expiresIn = 60_000 + Math.floor(Math.random() * 10_000)
      await this.#kv.set(["cache", id], value, { expiresIn })
      return value
    } finally {
      // Only our own lease: it may have expired, and be another's by now.
      await this.#kv.atomic().check({ key: lease, versionstamp: stamp }).delete(lease).commit()
    }
  }
}

const kv = new Kv(":memory:")
let loads = 0
const load = async (id: string) => {
  loads++
  await sleep(50)
  if (id === "broken") throw new Error("the source is down")
  return `value of ${id}`
}

// Two caches know nothing of each other, as in two processes: 100 callers, one load.
const one = new Cache(kv, load)
const other = new Cache(kv, load)
const values = await Promise.all(Array.from({ length: 100 }, (_, n) => (n % 2 ? one : other).get("a")))
assert.ok(values.every((value) => value === "value of a"))
assert.equal(loads, 1)
assert.equal(await one.get("a"), "value of a")
assert.equal(loads, 1)

await one.forget("a")
await other.get("a")
assert.equal(loads, 2)

// An error goes to the callers and is not kept.
await assert.rejects(one.get("broken"), /the source is down/)
await assert.rejects(one.get("broken"), /the source is down/)
assert.equal(loads, 4)
assert.equal(await kv.count(["cache-lease"]), 0)

await kv.close()
console.log("cache: ok")
