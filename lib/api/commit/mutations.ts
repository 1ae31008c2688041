/** Mutations as data, and how they are handed to Rust. */

import type { KvEnqueueOptions, KvExpireOptions, KvKey, KvMutationResult } from "../../../index.js"
import { fromNative, type NativeHandle, native } from "../../native/addon.js"
import { describe, invalidArgument } from "../../shared/errors.js"
import { copyKey, copyList, type KeyRange } from "../../shared/keys.js"
import { expiresIn, flag, takeOptions } from "../../shared/options.js"
import { COMMIT_VERSIONSTAMP, UUIDV7 } from "../../shared/placeholders.js"
import { KvU64 } from "../../shared/u64.js"
import { type Encoded, encodeValue, LateValue } from "../../value/index.js"
import { isList } from "../../value/kinds.js"

export type Counting = "sum" | "max" | "min"
export type Operand = bigint | number | KvU64
export type Splicing = "append" | "prepend"

/** A mutation whose values have been read. */
export type Operation =
  | { type: "set"; key: readonly unknown[]; value: Encoded | LateValue; expiresIn: unknown }
  | { type: "delete"; key: KvKey }
  | { type: "deleteRange"; selector: KeyRange }
  | { type: Counting; key: KvKey; value: Operand; expiresIn: unknown }
  | { type: Splicing; key: KvKey; value: Encoded | LateValue; expiresIn: unknown }
  | { type: "patch"; key: KvKey; value: Encoded | LateValue; expiresIn: unknown }
  | { type: "enqueue"; value: Encoded | LateValue; options: KvEnqueueOptions }

const COUNTING: readonly Counting[] = ["sum", "max", "min"]

/** The UUIDv7 of one commit, made when it is first needed. */
export class CommitUuid {
  #uuid: string | undefined

  get value(): string {
    this.#uuid ??= native.uuidv7()
    return this.#uuid
  }
}

export function set(key: readonly unknown[], value: unknown, options?: KvExpireOptions): Operation {
  return { type: "set", key: copyKey(key), value: encodeValue(value, "value"), expiresIn: expiresIn(options) }
}

export function counting(type: Counting, key: KvKey, value: unknown, options?: KvExpireOptions): Operation {
  if (typeof value !== "bigint" && !Number.isInteger(value) && !(value instanceof KvU64))
    throw invalidArgument(`value: must be a bigint, an integer or a KvU64, got ${describe(value)}`)
  return { type, key: copyKey(key), value: value as Operand, expiresIn: expiresIn(options) }
}

export function splicing(type: Splicing, key: KvKey, values: unknown, options?: KvExpireOptions): Operation {
  if (!isList(values)) throw invalidArgument(`values: must be an array, got ${describe(values)}`)
  const value = encodeValue(copyList(values), "values")
  return { type, key: copyKey(key), value, expiresIn: expiresIn(options) }
}

export function patch(key: KvKey, mergePatch: unknown, options?: KvExpireOptions): Operation {
  const value = encodeValue(mergePatch, "patch")
  return { type: "patch", key: copyKey(key), value, expiresIn: expiresIn(options) }
}

const ENQUEUE_OPTIONS: readonly (keyof KvEnqueueOptions)[] = [
  "delay",
  "backoffSchedule",
  "keysIfUndelivered",
  "queue",
  "orderingKey",
  "deduplicationKey",
  "deadLetter",
]

export function enqueue(value: unknown, given?: KvEnqueueOptions): Operation {
  const options = takeOptions<KvEnqueueOptions>(given, ENQUEUE_OPTIONS)
  const keys = copyList(options.keysIfUndelivered)
  options.keysIfUndelivered = isList(keys) ? keys.map(copyKey) : keys
  options.backoffSchedule = copyList(options.backoffSchedule)
  options.deadLetter = options.deadLetter === undefined || flag(options.deadLetter, "deadLetter")
  return { type: "enqueue", value: encodeValue(value, "value"), options }
}

/** A key or value with its placeholders filled in. */
export function resolve(value: Encoded | LateValue, uuid: CommitUuid): Encoded {
  return value instanceof LateValue ? value.resolve(uuid.value) : value
}

/** The key without its placeholders; `stamped` if Rust appends the commit's versionstamp. */
export function writeKey(
  key: readonly unknown[],
  uuid: CommitUuid,
): { parts: readonly unknown[]; stamped: boolean } {
  if (!isList(key) || !key.some(isPlaceholder)) return { parts: key, stamped: false }
  const stamped = key.at(-1) === COMMIT_VERSIONSTAMP
  const parts = stamped ? key.slice(0, -1) : key.slice()
  if (parts.includes(COMMIT_VERSIONSTAMP))
    throw invalidArgument(
      `key[${parts.indexOf(COMMIT_VERSIONSTAMP)}]: commitVersionstamp() must be the last part of the key`,
    )
  return { parts: parts.map((part) => (part === UUIDV7 ? uuid.value : part)), stamped }
}

function isPlaceholder(part: unknown): boolean {
  return part === UUIDV7 || part === COMMIT_VERSIONSTAMP
}

/** Hands one mutation to Rust; errors say which one it was. */
export function stage(handle: NativeHandle, operation: Operation, uuid: CommitUuid, place: string): void {
  try {
    stageOne(handle, operation, uuid)
  } catch (error) {
    throw fromNative(error, place)
  }
}

function stageOne(handle: NativeHandle, operation: Operation, uuid: CommitUuid): void {
  switch (operation.type) {
    case "set":
      stageSet(handle, operation, uuid)
      break
    case "delete":
      handle.remove(operation.key)
      break
    case "deleteRange":
      stageRange(handle, operation.selector)
      break
    case "append":
    case "prepend":
      stageSplice(handle, operation, uuid)
      break
    case "patch":
      stagePatch(handle, operation, uuid)
      break
    case "enqueue":
      stageEnqueue(handle, operation, uuid)
      break
    default:
      stageCounting(handle, operation)
  }
}

function stageSet(handle: NativeHandle, operation: Operation & { type: "set" }, uuid: CommitUuid): void {
  const { parts, stamped } = writeKey(operation.key, uuid)
  const { data, encoding } = resolve(operation.value, uuid)
  handle.put(parts, stamped, data, encoding, operation.expiresIn)
}

function stageCounting(
  handle: NativeHandle,
  { type, key, value, expiresIn }: Operation & { type: Counting },
): void {
  const isU64 = value instanceof KvU64
  handle.arithmetic(COUNTING.indexOf(type), key, isU64 ? value.value : value, isU64, expiresIn)
}

function stageRange(handle: NativeHandle, { prefix, start, end }: KeyRange): void {
  handle.removeRange(prefix, start, end, undefined)
}

function stageSplice(
  handle: NativeHandle,
  operation: Operation & { type: Splicing },
  uuid: CommitUuid,
): void {
  const { data, encoding } = resolve(operation.value, uuid)
  // An array is never stored as bytes.
  handle.splice(operation.type === "prepend", operation.key, data as string, encoding, operation.expiresIn)
}

function stagePatch(
  handle: NativeHandle,
  { key, value, expiresIn }: Operation & { type: "patch" },
  uuid: CommitUuid,
): void {
  const { data, encoding } = resolve(value, uuid)
  handle.patch(key, data, encoding, expiresIn)
}

function stageEnqueue(
  handle: NativeHandle,
  { value, options }: Operation & { type: "enqueue" },
  uuid: CommitUuid,
): void {
  const { data, encoding } = resolve(value, uuid)
  handle.enqueue(
    data,
    encoding,
    options.queue,
    options.delay,
    options.backoffSchedule,
    options.keysIfUndelivered,
    options.orderingKey,
    options.deduplicationKey,
    options.deadLetter !== false,
  )
}

type Reply = null | number | boolean | { i?: string; u?: string; id?: string }

/** What a mutation gave, from Rust's form of it (`src/binding/text.rs`). */
export function resultOf(reply: Reply): KvMutationResult {
  if (reply === null || (typeof reply === "object" && "id" in reply)) return undefined
  if (typeof reply !== "object") return reply as number
  return reply.i === undefined ? new KvU64(BigInt(reply.u as string)) : BigInt(reply.i)
}

/** A commit's outcome, from Rust. */
export type Outcome = [versionstamp: string, replies: Reply[]] | { conflicts: (number | string | null)[] }
