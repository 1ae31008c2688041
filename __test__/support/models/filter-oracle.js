// The meaning of a `where` filter, written from index.d.ts and docs/filters.md alone: slow and simple.
import { KvU64 } from "@buntime/keyval"

/** `undefined` means absent. */
const ABSENT = undefined

/**
 * Whether a value matches; `now(placeholder)` gives the milliseconds of a `kv.now()`, undefined for anything
 * else.
 */
export function matches(filter, value, now) {
  return condition(filter, value, { ms: now })
}

function condition(filter, found, clock) {
  if (!isPlain(filter)) return equal(found, filter, clock)
  return Object.entries(filter).every(([name, given]) =>
    name.startsWith("$")
      ? OPERATORS[name](given, found, clock)
      : condition(given, follow(found, stepsOf(name)), clock),
  )
}

const not = (name) => (given, found, clock) => !OPERATORS[name](given, found, clock)
const folding = (test) => (given, found) => typeof found === "string" && test(fold(found), fold(given))
const ordering = (test) => (given, found, clock) => {
  const order = compare(found, given, clock)
  return order !== undefined && test(order)
}

const OPERATORS = {
  $eq: (given, found, clock) => equal(found, given, clock),
  $ne: not("$eq"),
  $gt: ordering((order) => order > 0),
  $gte: ordering((order) => order >= 0),
  $lt: ordering((order) => order < 0),
  $lte: ordering((order) => order <= 0),
  $between: ([low, high], found, clock) =>
    OPERATORS.$gte(low, found, clock) && OPERATORS.$lte(high, found, clock),
  $in: (given, found, clock) => given.some((one) => equal(found, one, clock)),
  $nin: not("$in"),
  $contains(given, found, clock) {
    if (Array.isArray(found)) return found.some((one) => equal(one, given, clock))
    return typeof found === "string" && typeof given === "string" && holds(points(found), points(given))
  },
  $notContains: not("$contains"),
  $startsWith: (given, found) => typeof found === "string" && starts(points(found), points(given)),
  $endsWith: (given, found) => typeof found === "string" && ends(points(found), points(given)),
  $containsi(given, found) {
    if (Array.isArray(found))
      return found.some((one) => typeof one === "string" && same(fold(one), fold(given)))
    return folding(holds)(given, found)
  },
  $notContainsi: not("$containsi"),
  $startsWithi: folding(starts),
  $endsWithi: folding(ends),
  $null: (given, found) => given === (found === null || found === ABSENT),
  $notNull: not("$null"),
  $empty: (given, found) => given === isEmpty(found),
  $notEmpty: not("$empty"),
  $and: (given, found, clock) => given.every((one) => condition(one, found, clock)),
  $or: (given, found, clock) => given.some((one) => condition(one, found, clock)),
  $not: (given, found, clock) => !condition(given, found, clock),
}

function isPlain(value) {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** `"a.b[0]"`: names of members, and numbers of elements. */
function stepsOf(path) {
  return path
    .replaceAll(/\[(\d+)\]/g, ".#$1")
    .split(".")
    .map((step) => (/^#\d+$/.test(step) ? Number(step.slice(1)) : step))
}

function follow(value, steps) {
  let found = value
  for (const step of steps) {
    if (typeof step === "number" ? !Array.isArray(found) : !isPlain(found)) return ABSENT
    if (!Object.hasOwn(found, step)) return ABSENT
    found = found[step]
  }
  return found
}

function isEmpty(value) {
  if (value === null || value === ABSENT || value === "") return true
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0
  return isPlain(value) && Object.keys(value).length === 0
}

/** Numbers, bigints and counters are "numeric", dates, `kv.now()` and numbers "time". */
function orderable(value, clock) {
  if (typeof value === "string") return { text: points(value) }
  if (typeof value === "number") return { numeric: value, time: value }
  if (typeof value === "bigint") return { numeric: value }
  if (value instanceof KvU64) return { numeric: value.value }
  if (value instanceof Date) return { time: value.getTime() }
  const ms = clock.ms(value)
  return ms === undefined ? {} : { time: ms }
}

function compare(value, other, clock) {
  const [one, two] = [orderable(value, clock), orderable(other, clock)]
  if (one.text && two.text) return orderOfLists(one.text, two.text)
  for (const kind of ["numeric", "time"]) {
    if (one[kind] === undefined || two[kind] === undefined) continue
    // Of JavaScript's comparisons of a bigint with a number each is exact.
    if (one[kind] < two[kind]) return -1
    if (one[kind] > two[kind]) return 1
    // biome-ignore lint/suspicious/noDoubleEquals: a bigint equals a number
    return one[kind] == two[kind] ? 0 : undefined
  }
}

function equal(value, other, clock) {
  if (value === ABSENT) return false
  if (compare(value, other, clock) === 0) return true
  if (value === null || other === null || typeof value === "boolean") return value === other
  if (Array.isArray(value) && Array.isArray(other))
    return value.length === other.length && value.every((one, at) => alike(one, other[at], clock))
  if (isPlain(value) && isPlain(other)) {
    const names = Object.keys(value)
    return (
      names.length === Object.keys(other).length &&
      names.every((name) => Object.hasOwn(other, name) && alike(value[name], other[name], clock))
    )
  }
  return isOpaque(value) && isOpaque(other) && spelled(value) === spelled(other)
}

/** Within a value; an `undefined` there is a member like any other. */
const alike = (one, two, clock) => (one === undefined && two === undefined) || equal(one, two, clock)

const OPAQUE = [Map, Set, RegExp, Error, ArrayBuffer]
const isOpaque = (value) => ArrayBuffer.isView(value) || OPAQUE.some((kind) => value instanceof kind)

/** A text that two values share only if they are the same in every detail. */
export function spelled(value) {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${new Uint8Array(value.buffer)})`
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${new Uint8Array(value)})`
  if (value instanceof Map || value instanceof Set)
    return `${value.constructor.name}(${[...value].map(spelled)})`
  if (value instanceof Date) return `Date(${value.getTime()})`
  if (value instanceof KvU64) return `KvU64(${value.value})`
  if (value instanceof Error) return `Error(${[value.name, value.message, value.stack].map(spelled)})`
  if (value instanceof RegExp) return String(value)
  if (Array.isArray(value)) return `[${value.map(spelled)}]`
  if (isPlain(value))
    return `{${Object.entries(value).map(([name, one]) => `${spelled(name)}:${spelled(one)}`)}}`
  if (typeof value === "string") return JSON.stringify(value)
  return Object.is(value, -0) ? "-0" : `${typeof value} ${value}`
}

/** The code points of a string; a lone surrogate is one of them. */
const points = (text) => Array.from(text, (character) => character.codePointAt(0))

/** Where case folding is not lower case of upper case. */
const FOLDS = { ẞ: "ss", İ: "i\u0307", ı: "ı" }
const fold = (text) =>
  points(
    Array.from(
      text,
      (character) =>
        FOLDS[character] ?? Array.from(character.toUpperCase(), (upper) => upper.toLowerCase()).join(""),
    ).join(""),
  )

function orderOfLists(one, two) {
  for (let at = 0; at < one.length && at < two.length; at++) if (one[at] !== two[at]) return one[at] - two[at]
  return one.length - two.length
}

function same(one, two) {
  return orderOfLists(one, two) === 0
}

function starts(text, part) {
  return same(text.slice(0, part.length), part)
}

function ends(text, part) {
  return part.length <= text.length && same(text.slice(text.length - part.length), part)
}

function holds(text, part) {
  return part.length === 0 || text.some((_, at) => starts(text.slice(at), part))
}
