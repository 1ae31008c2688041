/**
 * The fast path: whether `JSON.stringify` alone writes a value down so that it reads back equal.
 *
 * The check returns a number, because the same walk must bound what `JSON.stringify` is given: an array that
 * holds another twice, which holds a third twice, and so on, is small in memory and endless as text.
 */

import { limitExceeded } from "../shared/errors.js"
import { isArrayPrototype, isPlainPrototype } from "../shared/kinds.js"
import { MAX_NESTING_DEPTH, MAX_VALUE_BYTES } from "../shared/limits.js"
import { TAG } from "./tags.js"

const NOT_PLAIN = -1

/**
 * The text of a plain value; undefined if it is not plain, too deep, or throws while it is read: the slow
 * path meets the same again and says what and where it is. `name` is the argument's.
 */
export function plainText(value: unknown, name: string): string | undefined {
  let size: number
  try {
    size = sizeOf(value, 0)
    if (size <= MAX_VALUE_BYTES) return size === NOT_PLAIN ? undefined : JSON.stringify(value)
  } catch {
    return undefined
  }
  throw limitExceeded(name, `at least ${size}`, MAX_VALUE_BYTES, "bytes")
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
      if (depth === MAX_NESTING_DEPTH) return NOT_PLAIN
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
