/**
 * Stored bytes back into values. What is read may be damaged or hostile: it gives a value or a `CORRUPT`, and
 * a message never holds a part of it, as the errors of `JSON.parse` and `RegExp` do.
 */

import { define } from "../shared/define.js"
import { corrupt, KvError } from "../shared/errors.js"
import { MAX_NESTING_DEPTH } from "../shared/limits.js"
import { KvU64 } from "../shared/u64.js"
import { fromBase64 } from "./bytes.js"
import { FLOAT16, newerSyntax, thisRuntime, unreadableWords } from "./newer.js"
import { mapStep, renderPath, type Step } from "./path.js"
import { BYTES, ERRORS, HIDDEN_FIELDS, JSON_TEXT, TAG, TAGGED_JSON, U64, U64_BYTES, VIEWS } from "./tags.js"

/**
 * More than any value that was accepted has: an append puts values that were nested to the limit into an
 * array.
 */
const MAX_DECODED_DEPTH = 2 * MAX_NESTING_DEPTH
const MAX_U64 = 2n ** 64n - 1n
const MAX_DATE_MS = 8.64e15

type Members = Record<string, unknown>

/** @throws {KvError} `CORRUPT` */
export function decodeValue(encoding: number, data: string | Uint8Array): unknown {
  switch (encoding) {
    case JSON_TEXT:
      return parse(data)
    case TAGGED_JSON:
      return revive(parse(data))
    case BYTES:
      return ownBytes(data)
    case U64:
      return counter(data)
    default:
      throw corrupt(`stored value: the encoding ${Number(encoding)} is unknown`)
  }
}

/**
 * Turns the tags of a parsed text into what they stand for, in place where it can be. @throws {KvError}
 * `CORRUPT`
 */
export function revive(parsed: unknown): unknown {
  try {
    return reviveAny(parsed, 0, [])
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    throw new KvError("UNSUPPORTED", `${renderPath("value", error.steps)}: ${error.what}`)
  }
}

/** A value that this runtime cannot make, thrown up to where its path is known. */
class Unreadable {
  readonly what: string
  readonly steps: Step[] = []

  constructor(what: string) {
    this.what = what
  }
}

/** What references can lead to so far: arrays, objects, Maps, Sets and errors, as they begin in the text. */
type Made = object[]

/** Revives what is in something else; `step` leads there. */
function reviveWithin(node: unknown, depth: number, made: Made, step: Step): unknown {
  try {
    return reviveAny(node, depth, made)
  } catch (error) {
    if (error instanceof Unreadable) error.steps.unshift(step)
    throw error
  }
}

function parse(data: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof data === "string" ? data : utf8.decode(data))
  } catch {
    throw corrupt("stored value: the text is not JSON")
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** A plain `Uint8Array` that shares its memory with nothing: small Buffers lie in a pool. */
function ownBytes(data: string | Uint8Array): Uint8Array {
  if (typeof data === "string") throw corrupt("stored value: bytes are missing")
  const alone = data.byteLength === data.buffer.byteLength
  return alone && Object.getPrototypeOf(data) === Uint8Array.prototype ? data : new Uint8Array(data)
}

function counter(data: string | Uint8Array): KvU64 {
  if (typeof data === "string" || data.byteLength !== U64_BYTES)
    throw corrupt(`stored value: a KvU64 is not ${U64_BYTES} bytes`)
  return new KvU64(new DataView(data.buffer, data.byteOffset, U64_BYTES).getBigUint64(0, true))
}

export function tooDeep(): KvError {
  return corrupt(`stored value: nested over ${MAX_DECODED_DEPTH} levels deep`)
}

/** `depth` counts values within values, not the brackets of their tags. */
function reviveAny(node: unknown, depth: number, made: Made): unknown {
  if (typeof node !== "object" || node === null) return node
  if (depth > MAX_DECODED_DEPTH) throw tooDeep()
  if (Array.isArray(node)) return reviveArray(node, depth + 1, made)
  if (Object.hasOwn(node, TAG)) return reviveTag(node as Members, depth + 1, made)
  made.push(node)
  return reviveMembers(node as Members, depth + 1, made)
}

function reviveArray(array: unknown[], depth: number, made: Made): unknown[] {
  made.push(array)
  for (let at = 0; at < array.length; at++) {
    const member = array[at]
    if (typeof member !== "object" || member === null) continue
    if (isHole(member)) delete array[at]
    else array[at] = reviveWithin(member, depth, made, at)
  }
  return array
}

function isHole(node: object): boolean {
  return Object.hasOwn(node, TAG) && (node as Members)[TAG] === "hole"
}

/** The members are the object's own (also one named `__proto__`), so that an assignment calls no setter. */
function reviveMembers(object: Members, depth: number, made: Made): Members {
  for (const key of Object.keys(object)) {
    const member = object[key]
    if (typeof member === "object" && member !== null) object[key] = reviveWithin(member, depth, made, key)
  }
  return object
}

/** Makes the value of a tag; undefined if its inner shape is wrong. */
type Reviver = (node: Members, depth: number, made: Made) => { value: unknown } | undefined

function reviveTag(node: Members, depth: number, made: Made): unknown {
  const type = node[TAG]
  if (typeof type !== "string") throw corrupt("stored value: a tag has no type")
  const reviver = REVIVERS.get(type)
  if (reviver === undefined) throw new Unreadable(UNKNOWN_TAG)
  const revived = reviver(node, depth, made)
  if (revived === undefined) throw damaged(type)
  return revived.value
}

const UNKNOWN_TAG = "a tag that this version does not know; a newer version wrote it, or the value is damaged"

function damaged(type: string): KvError {
  return corrupt(`stored value: a tag of the type ${type} is damaged`)
}

/** A member of its own: not what someone put on `Object.prototype`. */
function own(node: Members, key: string): unknown {
  return Object.hasOwn(node, key) ? node[key] : undefined
}

function isMembers(node: unknown): node is Members {
  return typeof node === "object" && node !== null && !Array.isArray(node)
}

const NUMBERS = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["-0", -0],
])

const REVIVERS: ReadonlyMap<string, Reviver> = new Map<string, Reviver>([
  ["undefined", () => ({ value: undefined })],
  // One that is no element of an array.
  ["hole", () => ({ value: undefined })],
  ["number", reviveNumber],
  ["bigint", reviveBigint],
  ["u64", reviveU64],
  ["date", reviveDate],
  ["regexp", reviveRegexp],
  ["map", reviveMap],
  ["set", reviveSet],
  ["bytes", reviveBytes],
  ["typedarray", reviveView],
  ["error", reviveError],
  ["object", reviveObject],
  ["boxed", reviveBoxed],
])

function reviveNumber(node: Members): { value: unknown } | undefined {
  const number = NUMBERS.get(own(node, "value") as string)
  return number === undefined ? undefined : { value: number }
}

function integer(node: Members): bigint | undefined {
  const digits = own(node, "value")
  if (typeof digits !== "string" || !/^(?:0|-?[1-9]\d*)$/.test(digits)) return undefined
  try {
    return BigInt(digits)
  } catch {
    return undefined // Larger than the runtime can hold.
  }
}

function reviveBigint(node: Members): { value: unknown } | undefined {
  const value = integer(node)
  return value === undefined ? undefined : { value }
}

function reviveU64(node: Members): { value: unknown } | undefined {
  const value = integer(node)
  return value === undefined || value < 0n || value > MAX_U64 ? undefined : { value: new KvU64(value) }
}

function reviveDate(node: Members): { value: unknown } | undefined {
  const ms = own(node, "value")
  if (ms === null) return { value: new Date(Number.NaN) }
  return Number.isInteger(ms) && Math.abs(ms as number) <= MAX_DATE_MS
    ? { value: new Date(ms as number) }
    : undefined
}

function reviveRegexp(node: Members, depth: number, made: Made): { value: unknown } | undefined {
  const [source, flags] = [own(node, "value"), own(node, "flags")]
  if (typeof source !== "string" || typeof flags !== "string") return undefined
  const lastIndex = reviveAny(own(node, "lastIndex") ?? 0, depth, made)
  if (typeof lastIndex !== "number") return undefined
  if (!/^[a-z]*$/.test(flags)) return undefined
  try {
    const value = new RegExp(source, flags)
    value.lastIndex = lastIndex
    return { value }
  } catch {
    const newer = newerSyntax(source, flags)
    if (newer !== undefined) throw new Unreadable(unreadableWords(newer))
    throw new Unreadable(
      `a RegExp that ${thisRuntime} cannot make; a newer runtime wrote it, or the value is damaged`,
    )
  }
}

function reviveMap(node: Members, depth: number, made: Made): { value: unknown } | undefined {
  const pairs = own(node, "value")
  if (!Array.isArray(pairs)) return undefined
  const map = new Map<unknown, unknown>()
  made.push(map)
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) return undefined
    const at = map.size
    const key = reviveWithin(pair[0], depth, made, { text: `.keys()[${at}]` })
    map.set(key, reviveWithin(pair[1], depth, made, mapStep(key, at)))
  }
  return { value: map }
}

function reviveSet(node: Members, depth: number, made: Made): { value: unknown } | undefined {
  const members = own(node, "value")
  if (!Array.isArray(members)) return undefined
  const set = new Set<unknown>()
  made.push(set)
  for (const [at, member] of members.entries())
    set.add(reviveWithin(member, depth, made, { text: `.values()[${at}]` }))
  return { value: set }
}

function base64(node: Members): Uint8Array<ArrayBuffer> | undefined {
  const text = own(node, "value")
  return typeof text === "string" ? fromBase64(text) : undefined
}

function reviveBytes(node: Members): { value: unknown } | undefined {
  const value = base64(node)
  return value === undefined ? undefined : { value }
}

/** Version 0.1.0 stored them where the runtime has them. */
const { Float16Array } = globalThis as { Float16Array?: new (buffer: ArrayBuffer) => object }
const float16 = Float16Array && ((buffer: ArrayBuffer) => new Float16Array(buffer))

function reviveView(node: Members): { value: unknown } | undefined {
  const kind = own(node, "kind")
  const view = kind === "Float16Array" ? float16 : VIEWS.get(kind as string)
  const bytes = base64(node)
  if (kind === "Float16Array" && bytes !== undefined && view === undefined)
    throw new Unreadable(unreadableWords(FLOAT16))
  if (view === undefined || bytes === undefined) return undefined
  try {
    return { value: view(bytes.buffer) }
  } catch {
    return undefined // Not a multiple of the element's size.
  }
}

/** A user's own object with a member that is named like the tag; or a reference to what is made already. */
function reviveObject(node: Members, depth: number, made: Made): { value: unknown } | undefined {
  if (Object.hasOwn(node, "ref")) {
    const number = own(node, "ref")
    const value = Number.isInteger(number) ? made[number as number] : undefined
    return value === undefined ? undefined : { value }
  }
  const members = own(node, "value")
  if (!isMembers(members)) return undefined
  made.push(members)
  return { value: reviveMembers(members, depth, made) }
}

function reviveBoxed(node: Members, depth: number, made: Made): { value: unknown } | undefined {
  const primitive = reviveAny(own(node, "value"), depth, made)
  return BOXED.has(typeof primitive) ? { value: Object(primitive) } : undefined
}

const BOXED = new Set(["string", "number", "boolean", "bigint"])

function reviveError(node: Members, depth: number, made: Made): { value: unknown } | undefined {
  const fields = own(node, "value")
  if (!isMembers(fields)) return undefined
  const [name, message, stack] = [own(fields, "name"), own(fields, "message"), own(fields, "stack")]
  const className = own(fields, "class") ?? name
  const members = own(fields, "members") ?? {}
  if (typeof name !== "string" || !isOptionalString(message) || !isOptionalString(stack)) return undefined
  if (typeof className !== "string" || !isMembers(members)) return undefined
  const error = (ERRORS.get(className) ?? Error)()
  made.push(error)
  if (error.name !== name) define(error, "name", name)
  if (message !== undefined) define(error, "message", message)
  replace(error, "stack", stack, stack !== undefined)
  for (const field of HIDDEN_FIELDS)
    replace(error, field, reviveWithin(own(fields, field), depth, made, field), Object.hasOwn(fields, field))
  for (const [key, value] of Object.entries(reviveMembers(members, depth, made)))
    define(error, key, value, true)
  return { value: error }
}

function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string"
}

/** The new error has a stack, and an `AggregateError` its errors, that are not the stored one's. */
function replace(error: Error, key: string, value: unknown, isStored: boolean): void {
  if (isStored) define(error, key, value)
  else Reflect.deleteProperty(error, key)
}
