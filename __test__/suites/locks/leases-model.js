import assert from "node:assert/strict"
import { test } from "node:test"
import { collect } from "../../support/assert.js"
import { Random } from "../../support/random.js"
import { T0, useStore } from "../../support/store.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const STEPS = Number(process.env.KEYVAL_STEPS ?? 600)
const OWNERS = ["a", "b", "c"]

/** What a call gives, or the code of its error. */
async function outcome(call) {
  try {
    return await call
  } catch (error) {
    return error.code ?? error.stack
  }
}

/** Steps at random on the store and on a model of it; time only moves by hand. */
class Run {
  now = T0
  log = []

  constructor(store, random) {
    this.store = store
    this.random = random
    store.at(T0)
  }

  get kv() {
    return this.store.kv
  }

  advance() {
    this.now += this.random.int(60)
    this.store.at(this.now)
  }

  async reopen() {
    await this.store.reopen()
    this.store.at(this.now)
  }

  async steps(weights) {
    const names = Object.entries(weights).flatMap(([name, weight]) => Array(weight).fill(name))
    for (let at = 0; at < STEPS; at++) {
      const name = this.random.pick(names)
      this.log.push(name)
      try {
        await this[name]()
      } catch (error) {
        const last = this.log.slice(-15).join("\n")
        throw new Error(`step ${at}, KEYVAL_SEED=${SEED}\n${last}\n${error.message}`, { cause: error })
      }
    }
  }

  note(...what) {
    this.log[this.log.length - 1] += ` ${JSON.stringify(what)}`
  }
}

class LockRun extends Run {
  /** By name: who holds it. */
  held = new Map()
  lastToken = new Map()
  handles = []

  live(name) {
    const lock = this.held.get(name)
    return lock !== undefined && lock.expiresAt > this.now ? lock : undefined
  }

  async lock() {
    const { random } = this
    const [name, owner, duration] = [random.pick(["l", "m"]), random.pick(OWNERS), 1 + random.int(100)]
    this.note(name, owner, duration)
    const live = this.live(name)
    const lock = await this.kv.lock(name, { owner, duration })
    assert.equal(lock.owner, owner)
    if (live !== undefined && live.owner !== owner) {
      assert.deepEqual([lock.acquired, lock.token, lock.expiresAt], [false, 0n, live.expiresAt])
    } else {
      assert.deepEqual([lock.acquired, lock.expiresAt], [true, this.now + duration])
      if (live !== undefined) assert.equal(lock.token, live.token)
      else assert.ok(lock.token > (this.lastToken.get(name) ?? 0n), "a new holder, a larger token")
      this.held.set(name, { owner, token: lock.token, expiresAt: lock.expiresAt })
      this.lastToken.set(name, lock.token)
    }
    this.handles.push([this.kv, name, lock])
  }

  async release() {
    const [kv, name, lock] = this.random.pick(this.handles) ?? []
    if (kv !== this.kv) return
    const ok = lock.acquired && this.live(name)?.token === lock.token
    this.note(name, lock.owner, ok)
    assert.deepEqual(await lock.release(), { ok })
    if (ok) this.held.delete(name)
  }

  async status() {
    for (const name of ["l", "m", "n"]) {
      const live = this.live(name)
      const expected = live
        ? { held: true, ...live }
        : { held: false, owner: null, token: null, expiresAt: null }
      assert.deepEqual(await this.kv.lock.status(name), expected)
    }
  }

  sweep() {
    return this.store.sweep()
  }
}

const LEASE_MS = 100

class ConsumerRun extends Run {
  /** By name: `{ position, holder, until }`. */
  consumers = new Map()
  readers = []
  changes = []
  /** The oldest change that is kept. */
  first = 1

  /** Readers of each name, some of another `Kv`; made again after each opening. */
  seat(kvs) {
    this.readers = kvs.flatMap((kv) =>
      ["c", "d"].flatMap((name) =>
        [0, 1].map(() => ({ name, consumer: kv.consumer(name, { lease: LEASE_MS }) })),
      ),
    )
  }

  get head() {
    return this.changes.length
  }

  async write() {
    for (let count = this.random.int(4); count > 0; count--) await this.kv.set(["n", this.random.int(50)], 1)
    const all = await collect(this.kv.changes({ from: this.head + 1 }))
    this.changes.push(...all)
  }

  async trim() {
    const seq = this.random.int(this.head + 1)
    if (this.random.chance(0.6)) return
    this.note(seq)
    await this.kv.changes.trim(seq)
    this.first = Math.max(this.first, seq + 1)
  }

  async read() {
    const reader = this.random.pick(this.readers)
    const limit = 1 + this.random.int(6)
    const state = this.consumers.get(reader.name) ?? { position: this.first - 1, holder: null, until: null }
    this.note(reader.name, this.readers.indexOf(reader), limit, state.position)
    const given = await outcome(reader.consumer.read(limit))
    const busy = state.holder !== reader && state.until !== null && state.until > this.now
    if (busy) return assert.equal(given, "BUSY")
    if (state.position + 1 < this.first) return assert.equal(given, "HISTORY_GONE")
    assert.deepEqual(given, this.changes.slice(state.position, state.position + limit))
    this.consumers.set(reader.name, { ...state, holder: reader, until: this.now + LEASE_MS })
  }

  async commit() {
    const reader = this.random.pick(this.readers)
    const state = this.consumers.get(reader.name)
    const seq = Math.max(0, (state?.position ?? 0) + this.random.int(6) - 1)
    this.note(reader.name, this.readers.indexOf(reader), seq)
    const given = await outcome(reader.consumer.commit(seq))
    // A lease that ran out and that nobody has taken may still be committed under.
    if (state === undefined || state.holder !== reader) return assert.equal(given, "CONFLICT")
    if (seq < state.position || seq > this.head) return assert.equal(given, "INVALID_ARGUMENT")
    assert.equal(given, undefined)
    this.consumers.set(reader.name, { ...state, position: seq, until: this.now + LEASE_MS })
  }

  async release() {
    const reader = this.random.pick(this.readers)
    this.note(reader.name, this.readers.indexOf(reader))
    await reader.consumer.release()
    const state = this.consumers.get(reader.name)
    if (state?.holder === reader) this.consumers.set(reader.name, { ...state, holder: null, until: null })
  }

  async forget() {
    const { name, consumer } = this.random.pick(this.readers)
    if (this.random.chance(0.5)) return
    this.note(name)
    assert.deepEqual(await consumer.delete(), { ok: this.consumers.delete(name) })
  }

  async status() {
    for (const { name, consumer } of this.readers) {
      const { position, until } = this.consumers.get(name) ?? { position: this.first - 1, until: null }
      const held = until !== null && until > this.now
      assert.deepEqual(await consumer.status(), {
        name,
        position,
        head: this.head,
        lag: this.head - position,
        held,
        leaseExpiresAt: held ? until : null,
      })
    }
  }
}

/**
 * Locks and consumers against plain models of them. Seen to fail: release a lock whatever its token is, or a
 * consumer whoever holds it.
 */
export function leasesModel(target) {
  const store = useStore(target)

  test(`${STEPS} random steps of locks (KEYVAL_SEED=${SEED})`, { timeout: 600_000 }, async () => {
    const run = new LockRun(store, new Random(SEED))
    const weights = { lock: 8, release: 4, advance: 4, status: 2, sweep: 1 }
    await run.steps(target.persistent ? { ...weights, reopen: 1 } : weights)
  })

  test(`${STEPS} random steps of consumers (KEYVAL_SEED=${SEED})`, { timeout: 600_000 }, async () => {
    const run = new ConsumerRun(store, new Random(SEED))
    run.seat(target.shared ? [store.kv, store.another()] : [store.kv])
    await run.steps({ write: 4, read: 8, commit: 6, release: 2, forget: 1, advance: 4, status: 2, trim: 1 })
  })
}
