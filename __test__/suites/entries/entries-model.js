import assert from "node:assert/strict"
import { test } from "node:test"
import { KvU64 } from "@buntime/keyval"
import { collect, plain } from "../../support/assert.js"
import { compareKeys } from "../../support/models/key-order.js"
import { Model, shown } from "../../support/models/model.js"
import { Random } from "../../support/random.js"
import { T0, useStore } from "../../support/store.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const STEPS = Number(process.env.KEYVAL_STEPS ?? 2000)

const PARTS = [
  "a",
  "t",
  "1",
  "10",
  "",
  1,
  10,
  -1,
  0,
  1n,
  10n,
  -1n,
  true,
  false,
  Uint8Array.of(0),
  Uint8Array.of(),
]
const TYPES = ["set", "set", "set", "sum", "max", "min", "append", "prepend", "delete"]

/** Makes arguments at random; keys are few and meet often. */
class Chooser {
  constructor(random) {
    this.random = random
  }

  key() {
    return this.random.many(1 + this.random.int(3), () =>
      this.random.pick(PARTS.slice(0, 4 + this.random.int(13))),
    )
  }

  value() {
    const { random } = this
    const makers = [
      () => random.int(100),
      () => BigInt(random.int(1000)) - 500n,
      () => 2n ** BigInt(random.int(90)),
      () => random.many(random.int(4), () => random.int(10)),
      () => `text ${random.int(1000)}`,
      () => ({ n: random.int(10), at: new Date(random.int(1000)), list: [undefined, Number.NaN] }),
      () => new KvU64(2n ** 64n - 1n - BigInt(random.int(3))),
      () => null,
      () => 0.5,
      () => "v".repeat(random.int(3000)),
    ]
    return random.pick(makers)()
  }

  expire() {
    return this.random.chance(0.3) ? { expiresIn: 1 + this.random.int(50) } : {}
  }

  selector() {
    const prefix = this.random.chance(0.5) ? [] : this.key().slice(0, this.random.int(3))
    if (this.random.chance(0.5)) return { prefix }
    const [start, end] = [
      [...prefix, ...this.key()],
      [...prefix, ...this.key()],
    ].sort(compareKeys)
    const form = this.random.int(4)
    if (form === 0) return { prefix, start, end }
    if (form === 1) return { start, end }
    return form === 2 ? { prefix, start } : { prefix, end }
  }

  mutation() {
    const { random } = this
    const type = random.pick(TYPES)
    const key = this.key()
    if (type === "set") return { type, key, value: this.value(), ...this.expire() }
    if (type === "delete") return { type, key: random.chance(0.7) ? key : this.selector() }
    if (type === "append" || type === "prepend") {
      return { type, key, value: random.many(random.int(4), () => random.int(10)), ...this.expire() }
    }
    const operand = random.chance(0.5) ? random.int(20) - 4 : BigInt(random.int(20) - 4)
    return { type, key, value: operand, ...this.expire() }
  }

  mutations() {
    return this.random.many(1 + this.random.int(5), () => this.mutation())
  }
}

/** Does each step on the store and on the model, and compares. */
class Run {
  log = []

  constructor(store, random) {
    this.store = store
    this.random = random
    this.choose = new Chooser(random)
    this.model = new Model()
    this.model.now = T0
    store.at(T0)
  }

  get kv() {
    return this.store.kv
  }

  checks() {
    return this.random.many(this.random.int(3), () => {
      const key = this.choose.key()
      const current = this.model.entry(key)?.versionstamp ?? null
      const wrong = this.random.chance(0.2)
      return { key, versionstamp: wrong ? "00000000-0000-7000-8000-000000000000" : current }
    })
  }

  /** What the model expects of a commit, as the store would say it. */
  expected(checks, mutations) {
    const conflicts = this.model.conflicts(checks)
    if (conflicts.length > 0) return { ok: false, conflicts }
    try {
      return { ok: true, results: this.model.commit(mutations).map(plain) }
    } catch (error) {
      return { code: error.code ?? error.stack }
    }
  }

  async settled(commit) {
    try {
      const { versionstamp, ...result } = await commit
      if (versionstamp) this.model.stamp(versionstamp)
      return result.ok ? { ...result, results: result.results.map(plain) } : result
    } catch (error) {
      return { code: error.code ?? error.stack }
    }
  }

  start(checks, mutations) {
    const atomic = this.kv.atomic().check(...checks)
    for (const mutation of mutations) atomic.mutate(mutation)
    return atomic.commit()
  }

  async atomic() {
    const [checks, mutations] = [this.checks(), this.choose.mutations()]
    this.note("atomic", checks, mutations)
    const expected = this.expected(checks, mutations)
    assert.deepEqual(await this.settled(this.start(checks, mutations)), expected)
  }

  /** Commits that are issued together share a group; they are applied in the order of issue. */
  async burst() {
    const commits = this.random.many(2 + this.random.int(6), () => this.choose.mutations())
    this.note("burst", commits)
    const started = commits.map((mutations) => this.start([], mutations))
    const settled = await Promise.allSettled(started)
    for (const [at, mutations] of commits.entries()) {
      const expected = this.expected([], mutations)
      const { status, value, reason } = settled[at]
      const result = this.settled(status === "fulfilled" ? value : Promise.reject(reason))
      assert.deepEqual(await result, expected, `commit ${at} of the burst`)
    }
  }

  async set() {
    const [key, value, options] = [this.choose.key(), this.choose.value(), this.choose.expire()]
    this.note("set", key, value, options)
    this.model.commit([{ type: "set", key, value, ...options }])
    this.model.stamp((await this.kv.set(key, value, options)).versionstamp)
  }

  async setMany() {
    const make = () => ({ key: this.choose.key(), value: this.choose.value(), ...this.choose.expire() })
    const entries = this.random.many(this.random.int(30), make)
    this.note("setMany", entries)
    assert.deepEqual(await this.kv.setMany(entries), { count: entries.length })
    this.model.commit(entries.map((entry) => ({ type: "set", ...entry })))
    for (const { key } of entries) this.model.stamp((await this.kv.get(key)).versionstamp)
  }

  async delete() {
    const exact = this.random.chance(0.5)
    const targets = this.random.many(1 + this.random.int(3), () => this.choose.key())
    this.note("delete", targets, exact)
    const expected = this.model.delete(targets, exact)
    const result = await this.kv.delete(targets.length === 1 ? targets[0] : targets, { exact })
    assert.deepEqual(result, { success: true, deletedCount: expected })
  }

  async deleteRange() {
    const selector = this.choose.selector()
    this.note("delete", selector)
    const expected = this.model.deleteRange(selector)
    assert.equal((await this.kv.delete(selector)).deletedCount, expected)
  }

  async touch() {
    const [key, ms] = [this.choose.key(), 1 + this.random.int(50)]
    this.note("touch", key, ms)
    assert.deepEqual(await this.kv.touch(key, { expiresIn: ms }), { ok: this.model.touch(key, ms) })
  }

  async get() {
    const key = this.choose.key()
    this.note("get", key)
    assert.deepEqual(shown(await this.kv.get(key)), this.model.get(key))
  }

  async getMany() {
    const keys = this.random.many(this.random.int(20), () => this.choose.key())
    this.note("getMany", keys)
    const expected = keys.map((key) => this.model.get(key))
    assert.deepEqual((await this.kv.getMany(keys)).map(shown), expected)
    assert.deepEqual((await Promise.all(keys.map((key) => this.kv.get(key)))).map(shown), expected)
  }

  async list() {
    const [selector, reverse] = [this.choose.selector(), this.random.chance(0.5)]
    const limit = this.random.chance(0.4) ? { limit: 1 + this.random.int(10) } : {}
    const options = { reverse, batchSize: 1 + this.random.int(20), ...limit }
    this.note("list", selector, options)
    const expected = this.model.select(selector, options)
    assert.deepEqual((await collect(this.kv.list(selector, options))).map(shown), expected)
    const keys = await collect(this.kv.list(selector, { ...options, keysOnly: true }))
    assert.deepEqual(
      keys,
      expected.map(({ value, ...entry }) => entry),
    )
    assert.equal(await this.kv.count(selector), this.model.select(selector).length)
  }

  async paginate() {
    const [selector, reverse, limit] = [
      this.choose.selector(),
      this.random.chance(0.5),
      1 + this.random.int(10),
    ]
    this.note("paginate", selector, reverse, limit)
    const expected = this.model.select(selector, { reverse })
    let cursor = null
    do {
      const page = await this.kv.paginate(selector, { reverse, limit, cursor })
      assert.deepEqual(page.entries.map(shown), expected.splice(0, limit))
      assert.equal(page.hasMore, expected.length > 0)
      cursor = page.cursor
    } while (cursor !== null)
    assert.deepEqual(expected, [])
  }

  async transaction() {
    const [read, key, value] = [this.choose.key(), this.choose.key(), this.choose.value()]
    this.note("transaction", read, key, value)
    const { value: seen, versionstamp } = await this.kv.transaction(async (tx) => {
      const entry = await tx.get(read)
      tx.set(key, value)
      return entry
    })
    assert.deepEqual(shown(seen), this.model.get(read))
    this.model.commit([{ type: "set", key, value }])
    this.model.stamp(versionstamp)
  }

  advance() {
    this.model.now += this.random.int(30)
    this.note("advance to", this.model.now - T0)
    this.store.at(this.model.now)
  }

  sweep() {
    this.note("sweep")
    return this.store.sweep()
  }

  async reopen() {
    this.note("reopen")
    await this.store.reopen()
    this.store.at(this.model.now)
  }

  async whole() {
    assert.deepEqual(
      (await collect(this.kv.list({ prefix: [] }))).map(shown),
      this.model.select({ prefix: [] }),
    )
  }

  note(...what) {
    this.log.push(what)
  }
}

const WEIGHTS = {
  set: 14,
  atomic: 16,
  burst: 4,
  setMany: 2,
  delete: 4,
  deleteRange: 1,
  touch: 4,
  get: 8,
  getMany: 4,
}
Object.assign(WEIGHTS, { list: 10, paginate: 4, transaction: 4, advance: 10, sweep: 2 })

function show(_key, value) {
  if (typeof value === "bigint") return `${value}n`
  if (value instanceof Uint8Array) return `bytes ${[...value]}`
  if (typeof value === "string" && value.length > 40) return `${value.slice(0, 10)}… of ${value.length}`
  return value instanceof KvU64 ? `KvU64(${value.value})` : value
}

/**
 * Random operations on the store and on a plain sorted list. Seen to fail: drop any one clause of a query.
 */
export function entriesModel(target) {
  const store = useStore(target)

  test(`${STEPS} random operations (KEYVAL_SEED=${SEED})`, { timeout: 600_000 }, async () => {
    const random = new Random(SEED)
    const run = new Run(store, random)
    const steps = Object.entries(WEIGHTS).flatMap(([name, weight]) => Array(weight).fill(name))
    if (target.persistent) steps.push("reopen")
    for (let at = 0; at < STEPS; at++) {
      try {
        await run[random.pick(steps)]()
        if (at % 50 === 49) await run.whole()
      } catch (error) {
        const last = run.log.slice(-12).map((what) => JSON.stringify(what, show).slice(0, 500))
        const again = `KEYVAL_SEED=${SEED} KEYVAL_STEPS=${at + 1}`
        throw new Error(`step ${at}, again with ${again}\n${last.join("\n")}\n${error.message}`, {
          cause: error,
        })
      }
    }
    await run.whole()
  })
}
