/** Bulk loads: many entries in bounded commits. */

import { types } from "node:util"
import type { KvSetEntry, KvSetManyOptions } from "../../../index.js"
import { takeOptionalCallback } from "../../shared/callbacks.js"
import { describe, invalidArgument } from "../../shared/errors.js"
import { copyKey } from "../../shared/keys.js"
import { isList, isRevokedProxy } from "../../shared/kinds.js"
import { MAX_LOAD_ENTRIES, MAX_LOAD_UNITS } from "../../shared/limits.js"
import { EXPIRE, takeOptions, timeToLive } from "../../shared/options.js"
import type { Core, Transport } from "../../transport.js"
import { encodeValue } from "../../value/index.js"
import { CommitUuid, mutationOf, type Operation, resolve } from "./mutations.js"

/** Commits in flight while the next one is gathered. */
const COMMITS_IN_FLIGHT = 2
/** A number, a boolean, and most bigints. */
const OTHER_PART_UNITS = 16
const ENTRY_MEMBERS: readonly (keyof KvSetEntry)[] = ["key", "value", ...EXPIRE]

/** A UUID of the usual length. */
const SOME_UUID = { value: "00000000-0000-7000-8000-000000000000" }

type SetOperation = Operation & { type: "set" }

export async function setMany(
  transport: Transport,
  entries: Iterable<KvSetEntry> | AsyncIterable<KvSetEntry>,
  options?: KvSetManyOptions,
): Promise<{ count: number }> {
  const given = takeOptions<KvSetManyOptions>(options, ["onProgress"])
  const onProgress = takeOptionalCallback(given.onProgress, "onProgress")
  const loading = new Loader(transport, onProgress)
  try {
    let at = 0
    const source = iterableOf(entries)
    if (Symbol.asyncIterator in source) {
      for await (const entry of source) await loading.add(operationOf(transport.core, entry, at++))
    } else {
      for (const entry of source) {
        const full = loading.add(operationOf(transport.core, entry, at++))
        if (full !== undefined) await full
      }
    }
    await loading.commit()
  } finally {
    await loading.settled()
  }
  return { count: await loading.finish() }
}

function iterableOf(entries: unknown): Iterable<KvSetEntry> | AsyncIterable<KvSetEntry> {
  const isIterable =
    typeof entries === "object" &&
    entries !== null &&
    !isRevokedProxy(entries) &&
    (Symbol.iterator in entries || Symbol.asyncIterator in entries)
  if (!isIterable)
    throw invalidArgument(`entries: must be an iterable of { key, value }, got ${describe(entries)}`)
  return entries as Iterable<KvSetEntry>
}

function operationOf(core: Core, entry: KvSetEntry, at: number): SetOperation {
  if (typeof entry !== "object" || entry === null || types.isPromise(entry))
    throw invalidArgument(`entries[${at}]: must be { key, value }, got ${describe(entry)}`)
  if (isList(entry))
    throw invalidArgument(
      `entries[${at}]: must be { key, value }, got ${describe(entry)}; make ({ key, value }) of a pair [key, value]`,
    )
  const given = takeOptions<KvSetEntry>(entry, ENTRY_MEMBERS, `entries[${at}]`)
  if (!("value" in entry))
    throw invalidArgument(`entries[${at}]: it has no value; give value: undefined to store that`)
  return {
    type: "set",
    key: copyKey(given.key),
    stamped: false,
    value: encodeValue(given.value, `entries[${at}].value`),
    expiresIn: timeToLive(given, core, `entries[${at}].`),
  }
}

class Loader {
  readonly #transport: Transport
  readonly #onProgress: KvSetManyOptions["onProgress"]
  #operations: SetOperation[] = []
  #units = 0
  #first = 0
  #count = 0
  #error: { cause: unknown } | undefined
  /** One call of `onProgress` after another. */
  #reported: Promise<void> = Promise.resolve()
  readonly #inFlight: Promise<void>[] = []

  constructor(transport: Transport, onProgress: KvSetManyOptions["onProgress"]) {
    this.#transport = transport
    this.#onProgress = onProgress
  }

  /** Gives a promise to wait for if a commit is full. */
  add(operation: SetOperation): Promise<void> | undefined {
    const units = sizeOf(operation)
    const isFull = this.#operations.length === MAX_LOAD_ENTRIES || this.#units + units > MAX_LOAD_UNITS
    const sent = isFull && this.#operations.length > 0 ? this.commit() : undefined
    this.#operations.push(operation)
    this.#units += units
    return sent
  }

  /** Sends the gathered entries, and waits while too many commits are in flight. */
  async commit(): Promise<void> {
    if (this.#operations.length === 0) return
    const operations = this.#operations
    const first = this.#first
    this.#first += operations.length
    this.#operations = []
    this.#units = 0
    this.#inFlight.push(this.#send(operations, first))
    while (this.#inFlight.length >= COMMITS_IN_FLIGHT) await this.#inFlight.shift()
    if (this.#error !== undefined) throw this.#error.cause
  }

  async #send(operations: SetOperation[], first: number): Promise<void> {
    try {
      const uuid = new CommitUuid(this.#transport.core)
      const mutations = operations.map((operation) => mutationOf(operation, uuid))
      await this.#transport.write({
        kind: "commit",
        checks: [],
        mutations,
        stamping: "always",
        argument: "entries",
        first,
      })
      this.#count += operations.length
      await this.#report(this.#count)
    } catch (cause) {
      this.#error ??= { cause }
    }
  }

  #report(count: number): Promise<void> | undefined {
    const onProgress = this.#onProgress
    if (onProgress === undefined) return undefined
    this.#reported = this.#reported.then(async () => void (await onProgress({ count })))
    return this.#reported
  }

  async settled(): Promise<void> {
    await Promise.all(this.#inFlight.splice(0))
  }

  async finish(): Promise<number> {
    if (this.#error !== undefined) throw this.#error.cause
    return this.#count
  }
}

/**
 * In UTF-16 code units or bytes: as UTF-8 it may be three times as large, which is still within one commit.
 */
function sizeOf({ key, value }: SetOperation): number {
  const { data } = resolve(value, SOME_UUID)
  const parts: readonly unknown[] = isList(key) ? key : []
  return parts.reduce<number>((size, part) => size + partSize(part), data.length)
}

/** An invalid part is refused later. */
function partSize(part: unknown): number {
  if (typeof part === "string") return part.length
  return types.isUint8Array(part) ? part.length : OTHER_PART_UNITS
}
