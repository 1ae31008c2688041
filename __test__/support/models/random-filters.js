// Random values and random filters, of few names and few scalars, so that they meet one another.
import { KvU64 } from "@buntime/keyval"

const NAMES = ["a", "b", "c", "__type", "value", "é", "\ud800", 'q"\\', "length", "name", "__proto__"]
const TEXTS = [
  ..."a b A aA Ab ab ß ss SS ẞ σ ς Σ İ i ı I é É e\u0301 ﬁ FI K Ω 😀 😀a \ud83d \ude00 \ud800a \ufffd \uffff".split(
    " ",
  ),
  "",
  "bigint",
  "date",
  "object",
  "undefined",
  'a\0\n"\\',
]
const SAFE = 2 ** 53
const NUMBERS = [0, -0, 1, -1, 1.5, 2, 1000, SAFE, SAFE, SAFE, SAFE + 2, 1e21, 1.7976931348623157e308, 5e-324]
const ODD_NUMBERS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
const NEAR = 2n ** 53n + 1n
const BIGINTS = [
  0n,
  1n,
  -1n,
  2n,
  1000n,
  NEAR - 1n,
  NEAR,
  NEAR,
  NEAR,
  2n ** 64n - 1n,
  10n ** 21n,
  -(2n ** 80n),
]
export const T = 4_000_000_000_000

const scalars = [
  () => null,
  (random) => random.chance(0.5),
  (random) => random.pick(NUMBERS),
  (random) => random.pick(ODD_NUMBERS),
  (random) => random.pick(BIGINTS),
  (random) => random.pick(TEXTS),
  (random) => random.pick(TEXTS) + random.pick(TEXTS),
  (random) => new Date(random.pick([0, 1, 1000, T, T - 1, T + 1000, Number.NaN])),
  (random) => T + random.pick([-1, 0, 1000]),
  (random) => Uint8Array.from(random.many(random.int(3), () => random.pick([0, 1, 255]))),
  (random) => new KvU64(random.pick([0n, 1n, 2n ** 53n + 1n, 2n ** 64n - 1n])),
]

/** What cannot be looked into. */
const opaques = [
  (random, inner) => new Map(random.many(random.int(3), () => [inner(), inner()])),
  (random, inner) => new Set(random.many(random.int(3), inner)),
  (random) => new RegExp(random.pick(["a", "b"]), random.pick(["", "i", "gu"])),
  (random) => Int8Array.from(random.many(random.int(2), () => random.int(2))),
  (random) => Uint8Array.from(random.many(random.int(2), () => random.int(2))).buffer,
  (random) => Object.assign(new Error(random.pick(["a", "b"])), { stack: "at a" }),
]

function objectOf(random, inner, least) {
  const names = random.shuffle(NAMES).slice(0, least + random.int(4 - least))
  return Object.fromEntries(names.map((name) => [name, inner()]))
}

/** A value; `absent`: `undefined` may stand in it. */
export function randomValue(random, { depth = 3, absent = true } = {}) {
  const inner = () =>
    absent && random.chance(0.08) ? undefined : randomValue(random, { depth: depth - 1, absent })
  if (depth > 0 && random.chance(0.55))
    return random.chance(0.3) ? random.many(random.int(4), inner) : objectOf(random, inner, 0)
  if (depth > 0 && random.chance(0.08)) return random.pick(opaques)(random, () => inner() ?? null)
  return random.pick(scalars)(random)
}

/** Filters for one list of values, from which operands and paths are taken as often as not. */
export class Filters {
  #random
  #values
  #now
  used = new Set()

  constructor(random, values, now) {
    this.#random = random
    this.#values = values
    this.#now = now
  }

  filter(depth = 3) {
    const random = this.#random
    return random.chance(0.35) ? this.#operators(depth) : this.#fields(depth)
  }

  #fields(depth) {
    const random = this.#random
    const fields = random.many(1 + random.int(random.chance(0.2) ? 3 : 1), () => [
      this.#path(),
      this.#given(depth - 1),
    ])
    if (depth > 0 && random.chance(0.15)) {
      const name = random.pick(["$and", "$or", "$not"])
      this.used.add(name)
      fields.push([name, this.#make[name](depth)])
    }
    return Object.fromEntries(fields)
  }

  #given(depth) {
    const random = this.#random
    if (depth > 0 && random.chance(0.2)) return this.#fields(depth)
    if (random.chance(0.75)) return this.#operators(depth)
    const operand = this.#operand()
    return operand?.constructor === Object ? { $eq: operand } : operand
  }

  #path() {
    const random = this.#random
    const step = () => random.pick(NAMES) + (random.chance(0.2) ? `[${random.int(3)}]` : "")
    return random.many(1 + random.int(random.chance(0.3) ? 3 : 1), step).join(".")
  }

  #operators(depth) {
    const random = this.#random
    const names = Object.keys(this.#make).filter((name) => depth > 0 || !/^\$(and|or|not)$/.test(name))
    const chosen = random.many(1 + random.int(random.chance(0.25) ? 3 : 1), () => random.pick(names))
    for (const name of chosen) this.used.add(name)
    return Object.fromEntries(chosen.map((name) => [name, this.#make[name](depth)]))
  }

  /** Only `$eq` and `$ne` take a RegExp. */
  #operand() {
    for (;;) {
      const operand = this.#anything()
      if (!holds(operand, (part) => part instanceof RegExp)) return operand
    }
  }

  #anything() {
    const random = this.#random
    if (random.chance(0.06)) return this.#now(random.pick([-1000, -1, 0, 1, 1000]))
    const found = random.chance(0.4) ? this.#somewhere(random.pick(this.#values)) : undefined
    return found === undefined || holdsUndefined(found)
      ? randomValue(random, { depth: 1, absent: false })
      : found
  }

  /** A part of a value. */
  #somewhere(value) {
    const random = this.#random
    const parts = Array.isArray(value) || value?.constructor === Object ? Object.values(value) : []
    return parts.length > 0 && random.chance(0.8) ? this.#somewhere(random.pick(parts)) : value
  }

  #ordered() {
    for (;;) {
      const operand = this.#operand()
      const { name } = operand?.constructor ?? {}
      if (["Number", "BigInt", "String", "Date", "KvU64", "Now"].includes(name)) return operand
    }
  }

  #text() {
    const random = this.#random
    return random.chance(0.7) ? random.pick(TEXTS) : random.pick(TEXTS) + random.pick(TEXTS)
  }

  #held() {
    for (;;) {
      const operand = this.#operand()
      if (operand?.constructor?.name !== "Now") return operand
    }
  }

  #several = (depth) => this.#random.many(1 + this.#random.int(3), () => this.filter(depth - 1))
  #flag = () => this.#random.chance(0.5)
  #make = {
    $eq: () => this.#anything(),
    $ne: () => this.#anything(),
    $gt: () => this.#ordered(),
    $gte: () => this.#ordered(),
    $lt: () => this.#ordered(),
    $lte: () => this.#ordered(),
    $between: () => [this.#ordered(), this.#ordered()],
    $in: () => this.#random.many(this.#random.int(4), () => this.#operand()),
    $nin: () => this.#random.many(this.#random.int(4), () => this.#operand()),
    $contains: () => (this.#random.chance(0.5) ? this.#text() : this.#held()),
    $notContains: () => (this.#random.chance(0.5) ? this.#text() : this.#held()),
    $startsWith: () => this.#text(),
    $endsWith: () => this.#text(),
    $containsi: () => this.#text(),
    $notContainsi: () => this.#text(),
    $startsWithi: () => this.#text(),
    $endsWithi: () => this.#text(),
    $null: this.#flag,
    $notNull: this.#flag,
    $empty: this.#flag,
    $notEmpty: this.#flag,
    $and: this.#several,
    $or: this.#several,
    $not: (depth) => this.filter(depth - 1),
  }
}

function holdsUndefined(value) {
  return holds(value, (part) => part === undefined)
}

/** Whether it is such a part, or has one. */
function holds(value, is) {
  if (is(value)) return true
  const inner = Array.isArray(value) || value?.constructor === Object ? Object.values(value) : []
  return inner.some((one) => holds(one, is))
}
