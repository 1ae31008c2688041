/**
 * Keys and selectors, on their way in: the one place where they are taken. Rust checks their parts
 * (`src/binding/values/convert.rs`).
 */

import { types } from "node:util"
import type { KvKey } from "../../index.js"
import { describe, invalidArgument, limitExceeded } from "./errors.js"
import { isList } from "./kinds.js"
import { MAX_KEYS } from "./limits.js"
import { takeOptions } from "./options.js"

/** Where a range begins or ends: a key, or the bytes of an encoded one, or of what is between two. */
export type KeyBound = KvKey | Uint8Array

/** A range of keys, each bound `undefined` where it is not given. */
export interface KeyRange {
  readonly prefix: KvKey | undefined
  readonly start: KeyBound | undefined
  readonly end: KeyBound | undefined
}

/** A plain array of the same elements. What is no list stays as it is. */
export function copyList<L>(list: L): L {
  return isList(list) ? (elementsOf(list) as L) : list
}

function elementsOf(list: readonly unknown[]): unknown[] {
  // A subclass of `Array` would make another of its own kind.
  const made: unknown = list.constructor
  return made === Array ? list.slice() : Array.from({ length: list.length }, (_, at) => list[at])
}

/**
 * A copy of a key, so that changing the array or its bytes later changes nothing. What is no key stays as it
 * is.
 */
export function copyKey<K>(key: K): K {
  if (!isList(key)) return key
  const copy = elementsOf(key)
  for (let at = 0; at < copy.length; at++) {
    const part = copy[at]
    if (typeof part === "object" && types.isUint8Array(part)) copy[at] = copyBytes(part, at)
  }
  return copy as K
}

function copyBytes(bytes: Uint8Array, at: number): Uint8Array {
  try {
    return new Uint8Array(bytes)
  } catch {
    throw invalidArgument(`key[${at}]: the bytes are of a detached buffer`)
  }
}

/** A copy of a bound. What is none stays as it is. */
export function copyBound<B>(bound: B): B {
  return types.isUint8Array(bound) ? (copyBytes(bound, 0) as B) : copyKey(bound)
}

/** Whether a target is a list of keys; an empty list is one. */
export function isKeyList(target: unknown): target is readonly KvKey[] {
  return isList(target) && (target.length === 0 || isList(target[0]))
}

/** Copies of the keys of a list. */
export function copyKeys(keys: unknown, copy: (key: KvKey, place: string) => KvKey = copyKey): KvKey[] {
  if (!isList(keys)) throw invalidArgument(`keys: must be an array of keys, got ${describe(keys)}`)
  if (keys.length > MAX_KEYS) throw limitExceeded("keys", keys.length, MAX_KEYS, "keys")
  const copies = elementsOf(keys) as KvKey[]
  for (let at = 0; at < copies.length; at++) copies[at] = copy(copies[at] as KvKey, `keys[${at}]`)
  return copies
}

/** A key as a prefix, or the selector that it is. */
export function selectorOf(selector: unknown): KeyRange {
  if (isList(selector)) return { prefix: copyKey(selector) as KvKey, start: undefined, end: undefined }
  if (typeof selector !== "object" || selector === null)
    throw invalidArgument(`selector: must be a key or { prefix, start, end }, got ${describe(selector)}`)
  const { prefix, start, end } = takeOptions<Partial<KeyRange>>(
    selector,
    ["prefix", "start", "end"],
    "selector",
  )
  return { prefix: copyKey(prefix), start: copyBound(start), end: copyBound(end) }
}
