/**
 * The fast path: whether `JSON.stringify` alone writes a value down so that it reads back equal.
 *
 * The check returns a number, because the same walk must bound what `JSON.stringify` is given: an array that
 * holds another twice, which holds a third twice, and so on, is small in memory and endless as text. Where
 * shared objects are kept as such, the walk ends at the first object that it meets again: its value is not
 * plain.
 */

import { limitExceeded } from "../shared/errors.js"
import { isArrayPrototype, isPlainPrototype } from "../shared/kinds.js"
import { MAX_NESTING_DEPTH, MAX_VALUE_BYTES } from "../shared/limits.js"
import { TAG } from "./tags.js"

const NOT_PLAIN = -1

/** Up to so many objects, looking at each costs less than a table. */
const FEW = 16

/** The objects that walks have met; that of the walk under way begin at `begin`. */
const few: (object | undefined)[] = new Array(FEW).fill(undefined)
let begin = 0
let end = 0
/** All that this walk has met, once they are more. */
let many: Set<object> | undefined
/** Whether this walk looks for what it meets again. */
let looksForShared = false

/**
 * The text of a plain value; undefined if it is not plain, too deep, or throws while it is read: the slow
 * path meets the same again and says what and where it is. `name` is the argument's. `asTree`: an object that
 * is there twice is written twice.
 */
export function plainText(value: unknown, name: string, asTree: boolean): string | undefined {
  if (typeof value !== "object") return textOf(value, name)
  // A getter of the value may write another one.
  const [outerBegin, outerMany, outerLooks] = [begin, many, looksForShared]
  begin = end
  many = undefined
  looksForShared = !asTree
  try {
    return textOf(value, name)
  } finally {
    while (end > begin) few[--end] = undefined
    begin = outerBegin
    many = outerMany
    looksForShared = outerLooks
  }
}

function textOf(value: unknown, name: string): string | undefined {
  let size: number
  try {
    size = sizeOf(value, 0)
    if (size <= MAX_VALUE_BYTES) return size === NOT_PLAIN ? undefined : JSON.stringify(value)
  } catch {
    return undefined
  }
  throw limitExceeded(name, `at least ${size}`, MAX_VALUE_BYTES, "bytes")
}

function isMetAgain(object: object): boolean {
  if (many !== undefined) return isIn(many, object)
  for (let at = begin; at < end; at++) if (few[at] === object) return true
  if (end < FEW) few[end++] = object
  else {
    many = new Set(few.slice(begin) as object[])
    many.add(object)
  }
  return false
}

/** One look-up tells, and adds what is not in it. */
function isIn(met: Set<object>, object: object): boolean {
  const before = met.size
  return met.add(object).size === before
}

/**
 * At most as long as the text, or `NOT_PLAIN`; beyond the limit it stops counting. `depth` counts the arrays
 * and objects around the value.
 */
function sizeOf(value: unknown, depth: number): number {
  switch (typeof value) {
    case "string":
      return value.length
    case "number":
      return isJsonNumber(value) ? 1 : NOT_PLAIN
    case "boolean":
      return 4
    case "object":
      if (value === null) return 4
      if (depth === MAX_NESTING_DEPTH || (looksForShared && isMetAgain(value))) return NOT_PLAIN
      return Array.isArray(value) ? sizeOfArray(value, depth + 1) : sizeOfObject(value, depth + 1)
    default:
      return NOT_PLAIN
  }
}

/** Finite, and not -0. */
function isJsonNumber(value: number): boolean {
  return value - value === 0 && (value !== 0 || 1 / value > 0)
}

/** `JSON.stringify` would call it, wherever it comes from: the object, its prototype, a polluted one. */
function hasToJson(value: object): boolean {
  return (value as { toJSON?: unknown }).toJSON !== undefined
}

function sizeOfArray(array: readonly unknown[], depth: number): number {
  if (!isArrayPrototype(Object.getPrototypeOf(array)) || hasToJson(array)) return NOT_PLAIN
  let size = array.length
  for (let at = 0; at < array.length; at++) {
    const member = sizeOf(array[at], depth)
    if (member === NOT_PLAIN) return NOT_PLAIN
    size += member
    if (size > MAX_VALUE_BYTES) break
  }
  return size
}

function sizeOfObject(object: object, depth: number): number {
  if (!isPlainPrototype(Object.getPrototypeOf(object)) || hasToJson(object)) return NOT_PLAIN
  if (Object.getOwnPropertySymbols(object).length !== 0) return NOT_PLAIN
  let size = 2
  // Half the time of Object.keys. It also visits what someone put on Object.prototype, which can only make an
  // object seem less plain than it is.
  for (const key in object) {
    if (key === TAG) return NOT_PLAIN
    const member = sizeOf((object as Record<string, unknown>)[key], depth)
    if (member === NOT_PLAIN) return NOT_PLAIN
    size += key.length + member
    if (size > MAX_VALUE_BYTES) break
  }
  return size
}
