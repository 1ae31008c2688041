/** Mutations as users give them, and as they cross the seam. */

import type { KvEnqueueOptions, KvExpireOptions, KvKey } from "../../../index.js"
import { describe, invalidArgument, limitExceeded } from "../../shared/errors.js"
import { copyKey, copyList, type KeyRange } from "../../shared/keys.js"
import { isList } from "../../shared/kinds.js"
import { MAX_COUNTER_BYTES } from "../../shared/limits.js"
import { expiresIn, flag, takeOptions } from "../../shared/options.js"
import { COMMIT_VERSIONSTAMP, UUIDV7 } from "../../shared/placeholders.js"
import { KvU64 } from "../../shared/u64.js"
import type { Core, EnqueueMutation, Mutation } from "../../transport.js"
import { type Encoded, encodeValue, LateValue } from "../../value/index.js"

export type Counting = "sum" | "max" | "min"
export type Operand = bigint | number | KvU64
export type Splicing = "append" | "prepend"

/**
 * A value, read when its mutation is made. It may hold placeholders, which are resolved at the commit.
 */
type Value = Encoded | LateValue

/** A mutation whose values have been read. */
export type Operation =
  | { type: "set"; key: readonly unknown[]; stamped: false; value: Value; expiresIn: unknown }
  | { type: "delete"; key: KvKey }
  | ({ type: "deleteRange"; where: undefined } & KeyRange)
  | { type: Counting; key: KvKey; operand: Operand; expiresIn: unknown }
  | { type: Splicing; key: KvKey; value: Value; expiresIn: unknown }
  | { type: "patch"; key: KvKey; value: Value; expiresIn: unknown }
  | EnqueueOperation
export type EnqueueOperation = Omit<EnqueueMutation, "value"> & { value: Value }

/** The UUIDv7 of one commit, made when it is first needed. */
export class CommitUuid {
  readonly #core: Core
  #uuid: string | undefined

  constructor(core: Core) {
    this.#core = core
  }

  get value(): string {
    this.#uuid ??= this.#core.uuidv7()
    return this.#uuid
  }
}

export function set(
  core: Core,
  key: readonly unknown[],
  value: unknown,
  options?: KvExpireOptions,
): Operation {
  return {
    type: "set",
    key: copyKey(key),
    stamped: false,
    value: encodeValue(value, "value"),
    expiresIn: expiresIn(options, core),
  }
}

export function counting(
  core: Core,
  type: Counting,
  key: KvKey,
  value: unknown,
  options?: KvExpireOptions,
): Operation {
  if (typeof value !== "bigint" && !Number.isInteger(value) && !(value instanceof KvU64))
    throw invalidArgument(`value: must be a bigint, an integer or a KvU64, got ${describe(value)}`)
  if (typeof value === "bigint") checkCounter("value", value)
  return { type, key: copyKey(key), operand: value as Operand, expiresIn: expiresIn(options, core) }
}

/** Numbers from here on have too many bytes. */
const COUNTER_BOUND = 1n << BigInt(8 * MAX_COUNTER_BYTES)

/** Refuses the counters that Rust refuses (`src/engine/commit/arithmetic.rs`). */
export function checkCounter(name: string, int: bigint): void {
  if (int < COUNTER_BOUND && int > -COUNTER_BOUND) return
  const digits = (int < 0n ? -int : int).toString(16).length
  throw limitExceeded(name, Math.ceil(digits / 2), MAX_COUNTER_BYTES, "bytes")
}

export function splicing(
  core: Core,
  type: Splicing,
  key: KvKey,
  values: unknown,
  options?: KvExpireOptions,
): Operation {
  if (!isList(values)) throw invalidArgument(`values: must be an array, got ${describe(values)}`)
  const value = encodeValue(copyList(values), "values")
  return { type, key: copyKey(key), value, expiresIn: expiresIn(options, core) }
}

export function patch(core: Core, key: KvKey, mergePatch: unknown, options?: KvExpireOptions): Operation {
  if (mergePatch === undefined)
    throw invalidArgument("patch: it is undefined; give an object with what is to change")
  const value = encodeValue(mergePatch, "patch", true)
  return { type: "patch", key: copyKey(key), value, expiresIn: expiresIn(options, core) }
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

export function enqueue(value: unknown, given?: KvEnqueueOptions): EnqueueOperation {
  const { deadLetter, keysIfUndelivered, backoffSchedule, queue, delay, orderingKey, deduplicationKey } =
    takeOptions<KvEnqueueOptions>(given, ENQUEUE_OPTIONS)
  const keys = copyList(keysIfUndelivered)
  return {
    type: "enqueue",
    keysIfUndelivered: isList(keys) ? keys.map(copyKey) : keys,
    backoffSchedule: copyList(backoffSchedule),
    deadLetter: deadLetter === undefined || flag(deadLetter, "deadLetter"),
    queue,
    delay,
    orderingKey,
    deduplicationKey,
    value: encodeValue(value, "value"),
  }
}

/** A value with its placeholders filled in. */
export function resolve(value: Value, uuid: { readonly value: string }): Encoded {
  return value instanceof LateValue ? value.resolve(uuid.value) : value
}

/** A mutation as it crosses the seam. Most have no placeholders, and cross unchanged. */
export function mutationOf(operation: Operation, uuid: CommitUuid): Mutation {
  switch (operation.type) {
    case "delete":
    case "deleteRange":
      return operation
    case "sum":
    case "max":
    case "min": {
      const { type, key, operand, expiresIn } = operation
      const isU64 = operand instanceof KvU64
      return { type, key, operand: isU64 ? operand.value : operand, isU64, expiresIn }
    }
    case "set": {
      const { key, value, expiresIn } = operation
      if (!hasPlaceholder(key) && !(value instanceof LateValue)) return operation as Mutation
      const { parts, stamped } = writeKey(key, uuid)
      return { type: "set", key: parts, stamped, value: resolve(value, uuid), expiresIn }
    }
    default: {
      const { value } = operation
      if (!(value instanceof LateValue)) return operation as Mutation
      return { ...operation, value: resolve(value, uuid) }
    }
  }
}
/** The key without its placeholders; `stamped` if Rust appends the commit's versionstamp. */
export function writeKey(
  key: readonly unknown[],
  uuid: CommitUuid,
): { parts: readonly unknown[]; stamped: boolean } {
  if (!hasPlaceholder(key)) return { parts: key, stamped: false }
  const stamped = key.at(-1) === COMMIT_VERSIONSTAMP
  const parts = stamped ? key.slice(0, -1) : key.slice()
  if (parts.includes(COMMIT_VERSIONSTAMP))
    throw invalidArgument(
      `key[${parts.indexOf(COMMIT_VERSIONSTAMP)}]: commitVersionstamp() must be the last part of the key`,
    )
  return { parts: parts.map((part) => (part === UUIDV7 ? uuid.value : part)), stamped }
}

function hasPlaceholder(key: readonly unknown[]): boolean {
  return isList(key) && key.some(isPlaceholder)
}

function isPlaceholder(part: unknown): boolean {
  return part === UUIDV7 || part === COMMIT_VERSIONSTAMP
}
