import assert from "node:assert/strict"
import { test } from "node:test"
import { snapshot } from "../../support/assert.js"
import { compareParts, isUnder } from "../../support/models/key-order.js"
import { Random } from "../../support/random.js"
import { T0, useStore } from "../../support/store.js"
import { errorsInto, nameOf, Reported, said } from "../../support/watching.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const STEPS = Number(process.env.KEYVAL_STEPS ?? 400)
const PARTS = ["t", "1", "10", 1, 10, 1n, 10n, true, Uint8Array.of(1)]

function sameKey(a, b) {
  return a.length === b.length && a.every((part, at) => compareParts(part, b[at]) === 0)
}

/** Targets at random, with what they mean by the contract. */
class Targets {
  constructor(random) {
    this.random = random
  }

  key() {
    return this.random.many(1 + this.random.int(2), () => this.random.pick(PARTS))
  }

  longKey() {
    return [...this.key(), ...(this.random.chance(0.3) ? this.key() : [])]
  }

  any() {
    const form = this.random.int(5)
    if (form === 0) return [{ prefix: [] }, {}, () => true]
    if (form === 1) {
      const prefix = this.key()
      return [{ prefix }, {}, (key) => isUnder(prefix, key)]
    }
    const count = this.random.chance(0.3) ? 40 : 1 + this.random.int(4)
    const keys = this.random.many(count, () => this.longKey())
    const list = [...new Map(keys.map((key) => [nameOf(key), key])).values()]
    const exact = this.random.chance(0.5)
    const belongs = (key) => list.some((own) => sameKey(own, key) || (!exact && isUnder(own, key)))
    return [list.length === 1 ? list[0] : list, { exact }, belongs]
  }
}

const STEP = {
  set: (run) => run.kv.set(run.key(), run.random.int(1000), run.expire()),
  sum: (run) =>
    run.kv
      .atomic()
      .delete(run.key())
      .sum(["sum", run.random.int(3)], 1n)
      .commit(),
  atomic(run) {
    const atomic = run.kv.atomic()
    for (let at = run.random.int(6); at >= 0; at--) {
      if (run.random.chance(0.3)) atomic.delete(run.key())
      else atomic.set(run.key(), run.random.int(1000), run.expire())
    }
    return atomic.commit()
  },
  setMany(run) {
    const under = run.key()
    const count = run.random.int(run.random.chance(0.1) ? 1500 : 40)
    return run.kv.setMany(
      Array.from({ length: count }, (_, at) => ({ key: [...under, at], value: at, ...run.expire() })),
    )
  },
  delete: (run) => run.kv.delete(run.key(), { exact: run.random.chance(0.5) }),
  deleteRange: (run) => run.kv.delete({ prefix: run.random.chance(0.1) ? [] : run.key() }),
  touch: (run) => run.kv.touch(run.key(), { expiresIn: 1 + run.random.int(100) }),
  sweep: (run) => run.store.sweep(),
  trim: (run) => run.random.chance(0.3) && run.kv.changes.trim(-1),
  advance(run) {
    run.now += run.random.int(40)
    run.store.at(run.now)
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  reading: (run) => run.kv.count({ prefix: [] }),
}
const WEIGHTS = { set: 10, sum: 3, atomic: 6, setMany: 3, delete: 5, deleteRange: 1, touch: 3, sweep: 1 }
Object.assign(WEIGHTS, { trim: 1, advance: 4, turn: 6, reading: 2 })

class Run {
  now = T0
  watches = []
  errors = []

  constructor(store, random) {
    this.store = store
    this.random = random
    this.targets = new Targets(random)
    this.kvs = [store.kv]
    store.at(T0)
  }

  get kv() {
    return this.random.pick(this.kvs)
  }

  key() {
    return this.random.many(1 + this.random.int(3), () => this.random.pick(PARTS))
  }

  expire() {
    return this.random.chance(0.2) ? { expiresIn: 1 + this.random.int(80) } : {}
  }

  /** A watch whose callback takes its time, some turns of the event loop, and throws now and then. */
  watch() {
    const [target, options, belongs] = this.targets.any()
    const [random, reported, slow] = [
      new Random(this.random.int(2 ** 31)),
      new Reported(),
      this.random.int(4) * 10,
    ]
    const boom = new Error("thrown by a callback")
    const callback = async (...batch) => {
      reported.callback(...batch)
      for (let at = random.int(slow + 1); at > 0; at--) await new Promise((resolve) => setImmediate(resolve))
      if (random.chance(0.05)) throw boom
    }
    const onError = (error) => error !== boom && errorsInto(this.errors)(error)
    const watch = { target, options, belongs, reported, subscription: null, callback, onError }
    watch.subscription = this.kv.watch(target, callback, { onError, ...options })
    this.watches.push(watch)
  }

  /** Stops one watch, and goes on with it from its token. */
  async resume() {
    const watch = this.random.pick(this.watches)
    const { target, options, reported, subscription, callback, onError } = watch
    subscription.stop()
    await subscription.finished
    const from = reported.batches.at(-1)?.versionstamp
    // Stopped within the current state there is no state to go on from: begin again.
    const whole = reported.batches.length > 0 && !reported.batches.at(-1).initial
    if (!whole) reported.entries.clear()
    const how = whole ? { from } : {}
    watch.subscription = this.kv.watch(target, callback, { onError, ...options, ...how })
  }

  async step(name) {
    if (name === "resume") await this.resume()
    else await STEP[name](this)
  }

  /** Law 5. */
  async converged() {
    const all = await snapshot(this.store.kv)
    for (const { target, options, belongs, reported } of this.watches) {
      const expected = said(all.filter(({ key }) => belongs(key)))
      const versions = new Map(all.map(({ key, versionstamp }) => [nameOf(key), versionstamp]))
      const same = (entries) =>
        entries.size === expected.length &&
        [...entries].every(([name, { versionstamp }]) => versions.get(name) === versionstamp)
      try {
        await reported.until(same, "the state of the store")
      } catch (error) {
        if (reported.inbox.failure) throw error
        assert.deepEqual(reported.said(), expected, `watch of ${JSON.stringify([target, options], shown)}`)
        throw error
      }
      assert.deepEqual(reported.said(), expected)
    }
  }
}

function shown(_key, value) {
  return typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? `bytes ${[...value]}` : value
}

/**
 * Law 5: after the last write each watch's map, built from its batches alone, is the store. Callbacks are
 * slow and throw, watches are stopped and resumed, the log is trimmed under them. Seen to fail: read on after
 * a trim as if nothing was missing; or sweep without a note in the change log.
 */
export function watchConverges(target) {
  const store = useStore(target)

  for (const trims of [false, true]) {
    const what = `${STEPS} random steps ${trims ? "with" : "without"} trims (KEYVAL_SEED=${SEED})`
    test(what, { timeout: 600_000 }, async () => {
      const run = new Run(store, new Random(SEED + Number(trims)))
      if (target.shared) run.kvs.push(store.another())
      const steps = Object.entries(WEIGHTS).flatMap(([name, weight]) => Array(weight).fill(name))
      const allowed = [...steps, "resume"].filter((name) => trims || name !== "trim")
      for (let at = 0; at < 12; at++) run.watch()
      for (let at = 1; at <= STEPS; at++) {
        await run.step(run.random.pick(allowed))
        if (at % 100 === 0) await run.converged()
      }
      await run.converged()
      assert.deepEqual(run.errors, [])
      assert.ok(run.watches.every(({ reported }) => reported.batches.every(({ dropped }) => dropped === 0)))
    })
  }
}
