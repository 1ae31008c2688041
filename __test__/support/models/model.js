import { KvU64 } from "@buntime/keyval"
import { plain } from "../assert.js"
import { compareKeys, isUnder, selects } from "./key-order.js"

const U64 = 2n ** 64n

/** What a mutation cannot be applied to; the commit is then not applied at all. */
export class Refusal extends Error {
  constructor(code) {
    super(code)
    this.code = code
  }
}

function integerOf(stored) {
  if (typeof stored === "bigint") return stored
  if (typeof stored === "number" && Number.isInteger(stored)) return BigInt(stored)
  throw new Refusal("TYPE_MISMATCH")
}

const ARITHMETIC = {
  sum: (a, b) => a + b,
  max: (a, b) => [b, a][Number(a > b)],
  min: (a, b) => [b, a][Number(a < b)],
}

function count(type, stored, operand) {
  const by = BigInt(operand)
  if (stored === undefined) return by
  if (stored instanceof KvU64) {
    if (by < 0n) throw new Refusal("INVALID_ARGUMENT")
    return new KvU64(ARITHMETIC[type](stored.value, by) % U64)
  }
  return ARITHMETIC[type](integerOf(stored), by)
}

/** What a store must do, as simply as it can be said: a list of entries in key order, and a clock. */
export class Model {
  #entries = []
  now = 0

  #live() {
    return this.#entries.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > this.now)
  }

  entry(key) {
    return this.#live().find((entry) => compareKeys(entry.key, key) === 0)
  }

  get(key) {
    const entry = this.entry(key)
    return entry ? shown(entry) : { key, value: null, versionstamp: null }
  }

  select(selector, { reverse = false, limit = Number.POSITIVE_INFINITY } = {}) {
    const entries = this.#live().filter(({ key }) => selects(selector, key))
    return (reverse ? entries.reverse() : entries).slice(0, limit).map(shown)
  }

  #put(key, value, expiresAt) {
    this.#remove((other) => compareKeys(other, key) === 0)
    this.#entries.push({
      key,
      value,
      versionstamp: "pending",
      ...(expiresAt === undefined ? {} : { expiresAt }),
    })
    this.#entries.sort((a, b) => compareKeys(a.key, b.key))
  }

  #remove(takes) {
    const live = this.#live()
    this.#entries = live.filter(({ key }) => !takes(key))
    return live.length - this.#entries.length
  }

  delete(targets, exact) {
    return this.#remove((key) =>
      targets.some((target) => compareKeys(target, key) === 0 || (!exact && isUnder(target, key))),
    )
  }

  deleteRange(selector) {
    return this.#remove((key) => selects(selector, key))
  }

  touch(key, ms) {
    const entry = this.entry(key)
    if (entry) entry.expiresAt = this.now + ms
    return entry !== undefined
  }

  #apply({ type, key, value, expiresIn }) {
    if (type === "delete") return Array.isArray(key) ? this.delete([key], true) : this.deleteRange(key)
    const entry = this.entry(key)
    const fresh = expiresIn === undefined ? undefined : this.now + expiresIn
    const kept = fresh ?? entry?.expiresAt
    if (type === "set") return this.#put(key, value, fresh)
    if (type === "append" || type === "prepend") {
      const stored = entry ? entry.value : []
      if (!Array.isArray(stored)) throw new Refusal("TYPE_MISMATCH")
      const list = type === "append" ? [...stored, ...value] : [...value, ...stored]
      this.#put(key, list, kept)
      return list.length
    }
    const result = count(type, entry?.value, value)
    this.#put(key, result, kept)
    return result
  }

  /** Checks that fail, with what is stored. */
  conflicts(checks) {
    return checks
      .map(({ key, versionstamp }) => ({ key, versionstamp, current: this.entry(key)?.versionstamp ?? null }))
      .filter(({ versionstamp, current }) => versionstamp !== current)
      .map(({ key, current }) => ({ key, versionstamp: current }))
  }

  /** The results of the mutations; what throws changes nothing. `stamp` names the commit afterwards. */
  commit(mutations) {
    const before = this.#entries.map((entry) => ({ ...entry }))
    try {
      return mutations.map((mutation) => this.#apply(mutation))
    } catch (error) {
      this.#entries = before
      throw error
    }
  }

  stamp(versionstamp) {
    for (const entry of this.#entries) if (entry.versionstamp === "pending") entry.versionstamp = versionstamp
  }
}

/** An entry in a form that compares. */
export function shown(entry) {
  return { ...entry, value: plain(entry.value) }
}
