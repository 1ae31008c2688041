/** Pages of entries, from the text that Rust writes (`src/codec/page.rs`). */

import type { KvChange, KvEntry, KvEntryMaybe, KvKey, KvKeyPart } from "../../index.js"
import { KvError } from "../shared/errors.js"
import { copyKey } from "../shared/keys.js"
import type { ListPage } from "../transport.js"
import { decodeValue, revive, tooDeep } from "../value/index.js"
import { damaged, type Readable, Unread, unreadOf } from "../value/unreadable.js"
import { ENCODING_IS_UNKNOWN, KEY_IS_TAGGED, VALUE_IS_DAMAGED, VALUE_IS_TOO_DEEP } from "./codes.js"
import { reviveKey } from "./key-json.js"

const TAGGED_JSON = 1
/** What V8 has serialised, and nobody here can decode. */
const V8 = 4

/**
 * A JSON text, `[text, bytes]` where bytes belong to it (mail: and the pages), or nothing: it comes by mail.
 */
export type Packet = string | [text: string, bytes: Uint8Array, ...pages: string[]] | undefined

/** A page's text and the bytes that belong to it, which begin at `base`. */
export interface Parcel {
  text: string
  bytes: Uint8Array | undefined
  base: number
}

export function parcelOf(packet: Exclude<Packet, undefined>): Parcel {
  if (typeof packet === "string") return { text: packet, bytes: undefined, base: 0 }
  return { text: packet[0], bytes: packet[1], base: 0 }
}

/** Entries at the requested keys. */
export function readKnown(parcel: Parcel, keys: readonly KvKey[], keysOnly = false): KvEntryMaybe[] {
  if (keysOnly) return readKnownKeys(parcel, keys)
  const page = parse(parcel.text, 2)
  const { parts } = page
  const entries: KvEntryMaybe[] = new Array(keys.length)
  let stamp = ""
  for (let at = 0, part = 0; at < keys.length; at++, part += 2) {
    const key = keys[at] as KvKey
    const given = parts[part + 1]
    if (given === null) entries[at] = { key, value: null, versionstamp: null }
    else {
      if (given !== SAME_STAMP) stamp = given as string
      entries[at] = { key, value: parts[part], versionstamp: stamp }
    }
  }
  finish(page, entries, parcel)
  refuseUnread(page, entries as KvEntry<unknown>[])
  return entries
}

/** The same without values. */
function readKnownKeys(parcel: Parcel, keys: readonly KvKey[]): KvEntryMaybe[] {
  const page = parse(parcel.text, 1)
  let stamp = ""
  const entries = keys.map((key, at) => {
    const given = page.parts[at]
    if (given === null) return { key, versionstamp: null }
    if (given !== SAME_STAMP) stamp = given as string
    return { key, versionstamp: stamp }
  }) as KvEntryMaybe[]
  finish(page, entries, parcel)
  return entries
}

/** The entry at a key, of an answer to it alone; nothing if it needs more than that (`readKnown`). */
export function readOne(packet: Exclude<Packet, undefined>, key: KvKey): KvEntryMaybe | undefined {
  if (typeof packet !== "string" || !packet.endsWith(ONE_PLAIN)) return undefined
  let parts: unknown[]
  try {
    parts = JSON.parse(packet)
  } catch {
    return undefined
  }
  if (parts.length !== ONE_PLAIN_PARTS) return undefined
  const versionstamp = parts[1] as string | null
  return versionstamp === null
    ? { key, value: null, versionstamp }
    : { key, value: parts[0] as unknown, versionstamp }
}

/** The end of a page of one entry that is not odd; such a page has so many parts. */
const ONE_PLAIN = ",0,1,0]"
const ONE_PLAIN_PARTS = 5

/**
 * Where entries are of one moment, one fails them all; it is named, so that the others can be asked for
 * without it.
 */
function refuseUnread({ odd, parts }: Parts, entries: readonly Readable[]): void {
  for (let at = odd; at < parts.length - TAIL; at += ODD) {
    const unread = unreadOf(entries[parts[at] as number] as Readable)
    if (unread !== undefined) throw unread
  }
}

/** A page of a list under a prefix. */
export function readListed(parcel: Parcel, prefix: KvKey, keysOnly: boolean): ListPage {
  const stride = keysOnly ? 2 : 3
  const page = parse(parcel.text, stride)
  const { parts, size } = page
  const keyOf = keyMaker(prefix)
  const entries: KvEntry<unknown>[] = new Array(size)
  let stamp = ""
  for (let at = 0, part = 0; at < size; at++, part += stride) {
    const key = keyOf(parts[part])
    const given = parts[part + stride - 1]
    if (given !== SAME_STAMP) stamp = given as string
    entries[at] = (
      keysOnly ? { key, versionstamp: stamp } : { key, value: parts[part + 1], versionstamp: stamp }
    ) as KvEntry<unknown>
  }
  finish(page, entries, parcel)
  return { entries, more: page.tail !== 0, unsure: page.tail === 2 }
}

/**
 * As `readRows`, but each value is read on its own: a row without one cannot be read, and affects no other.
 */
export function readParts<R extends { value?: unknown }, T>(
  parcel: Parcel,
  stride: number,
  make: (parts: readonly unknown[], at: number) => R,
): { rows: R[]; tail: T } {
  const { rows, tail } = readRows<R, T>(parcel, stride, make)
  for (const row of rows) if (row.value instanceof Unread) delete row.value
  return { rows, tail }
}

/**
 * Rows of a page that is no list, each made by `make` from `stride` parts; and the tail of the page. `isOne`:
 * one that cannot be read fails them all.
 */
function readRows<R extends Readable, T>(
  parcel: Parcel,
  stride: number,
  make: (parts: readonly unknown[], at: number) => R,
  isOne = false,
): { rows: R[]; tail: T } {
  const page = parse(parcel.text, stride)
  const rows: R[] = new Array(page.size)
  for (let at = 0; at < page.size; at++) rows[at] = make(page.parts, at * stride)
  finish(page, rows as unknown as KvEntryMaybe[], parcel)
  if (isOne) refuseUnread(page, rows)
  return { rows, tail: page.tail as T }
}

/** The current states of watched keys, and the page's tail. */
export function readWatched<T>(parcel: Parcel): { rows: KvEntryMaybe[]; tail: T } {
  let stamp = ""
  const make = (parts: readonly unknown[], at: number): KvEntryMaybe => {
    const [key, value, given] = [parts[at] as KvKey, parts[at + 1], parts[at + 2]]
    if (given === null) return { key, value: null, versionstamp: null }
    if (given !== SAME_STAMP) stamp = given as string
    return { key, value, versionstamp: stamp }
  }
  return readRows(parcel, 3, make, true)
}

/** Entries that were found, with their whole keys, and the page's tail. */
export function readFound<T>(parcel: Parcel): { rows: KvEntry[]; tail: T } {
  let stamp = ""
  const make = (parts: readonly unknown[], at: number) => {
    const [rest, value, given] = [parts[at], parts[at + 1], parts[at + 2]]
    if (given !== SAME_STAMP) stamp = given as string
    return { key: (Array.isArray(rest) ? rest : [rest]) as unknown as KvKey, value, versionstamp: stamp }
  }
  return readRows(parcel, 3, make)
}

const CHANGE_TYPES = ["create", "update", "delete"] as const

/** Changes of a feed, and the page's tail. */
export function readChanges<T>(parcel: Parcel): { rows: KvChange[]; tail: T } {
  let stamp = ""
  const make = (parts: readonly unknown[], at: number): KvChange => {
    const [seq, operation, key, value, given] = parts.slice(at, at + 5) as [
      number,
      number,
      KvKey,
      unknown,
      unknown,
    ]
    if (given !== SAME_STAMP) stamp = given as string
    const type = CHANGE_TYPES[operation % 3] as KvChange["type"]
    const change: KvChange = { seq, key, type, versionstamp: stamp }
    if (operation >= CHANGE_TYPES.length) change.value = value
    return change
  }
  return readRows(parcel, 5, make, true)
}

/** The versionstamp of the entry before. */
const SAME_STAMP = 0
/** At the end: the number of odd entries, of all entries, and the tail. */
const TAIL = 3
/** An odd entry: its index, its flags, its expiry. */
const ODD = 3

interface Parts {
  parts: unknown[]
  size: number
  /** The index of the list of odd entries. */
  odd: number
  /** The tail of the page. */
  tail: unknown
}

/** The engine's own message is not passed on: it quotes the text, which holds stored values. */
function parse(text: string, stride: number): Parts {
  let parts: unknown[]
  try {
    parts = JSON.parse(text)
  } catch {
    throw unparsed()
  }
  const [odds, size, tail] = parts.slice(-TAIL) as [number, number, unknown]
  const odd = size * stride
  // A stored value that holds a comma too many is JSON in this place, and moves all that follows.
  if (parts.length !== odd + odds * ODD + TAIL) throw unparsed()
  return { parts, size, odd, tail }
}

const UNPARSED = new WeakSet<object>()

function unparsed(): KvError {
  const error = damaged()
  UNPARSED.add(error)
  return error
}

/** Whether a value spoils the text that it is in: it is found if Rust looks at each of them. */
export function isUnparsed(error: unknown): boolean {
  return error instanceof KvError && UNPARSED.has(error)
}

/**
 * A key from what follows the prefix: a part by itself, or an array of parts. Bytes of the prefix are copied
 * for each.
 */
function keyMaker(prefix: KvKey): (rest: unknown) => KvKey {
  const hasBytes = prefix.some((part) => typeof part === "object")
  return (rest) => {
    const key = (hasBytes ? copyKey(prefix) : prefix.slice()) as KvKeyPart[]
    if (Array.isArray(rest)) for (const part of rest) key.push(part)
    else key.push(rest as KvKeyPart)
    return key
  }
}

/** Adds expiries, and makes what `JSON.parse` alone does not. */
function finish({ parts, odd }: Parts, entries: KvEntryMaybe[], parcel: Parcel): void {
  for (let at = odd; at < parts.length - TAIL; at += ODD) {
    const [index, flags, expiresAt] = parts.slice(at, at + ODD) as [number, number, number]
    const entry = entries[index] as KvEntry<unknown>
    if (expiresAt !== 0) entry.expiresAt = expiresAt
    if (flags & KEY_IS_TAGGED) entry.key = reviveKey(entry.key)
    const encoding = flags & ~KEY_IS_TAGGED
    // An entry of a list of keys has no value at all.
    if (encoding === 0) continue
    try {
      entry.value = readValue(encoding, entry.value, parcel)
    } catch (error) {
      entry.value = new Unread(error)
    }
  }
}

function readValue(encoding: number, value: unknown, parcel: Parcel): unknown {
  if (encoding & VALUE_IS_DAMAGED) throw damaged()
  if (encoding & VALUE_IS_TOO_DEEP) throw tooDeep()
  if (encoding & ENCODING_IS_UNKNOWN) {
    const what = value === V8 ? "is in V8's own format (encoding 4)" : `has the encoding ${value}`
    throw new KvError("UNSUPPORTED", `the stored value ${what}, which this version does not read`)
  }
  return encoding === TAGGED_JSON ? revive(value) : decodeValue(encoding, slice(value, parcel))
}

/**
 * A copy, so that a user who changes one value changes no other. Stored values that are damaged in two places
 * may have moved another into this one.
 */
function slice(place: unknown, { bytes, base }: Parcel): Uint8Array {
  const [offset, length] = Array.isArray(place) ? place : []
  const isPlace = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0
  if (!isPlace || base + offset + length > (bytes?.length ?? base)) throw damaged()
  if (bytes === undefined) return new Uint8Array(0)
  // Not `slice`: in a sandbox of a test runner the addon's arrays are of the class outside of it.
  return new Uint8Array(bytes.subarray(base + offset, base + offset + length))
}
