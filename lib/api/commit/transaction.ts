/** Transactions: reads that are checked when the writes are committed. */

import type {
  KvCheck,
  KvCommitError,
  KvCommitResult,
  KvEntryMaybe,
  KvKey,
  KvTransaction,
  KvTransactionOptions,
  KvTransactionResult,
} from "../../../index.js"
import { describe, invalidArgument, KvError } from "../../shared/errors.js"
import { after, random } from "../../shared/host.js"
import { copyKey, copyKeys, isKeyList } from "../../shared/keys.js"
import { isList } from "../../shared/kinds.js"
import { refuseExtra, takeOptions, wholeNumber } from "../../shared/options.js"
import { onAbort, refuseAborted, type Signal, signalOf, unlessAborted } from "../../shared/signal.js"
import { awaited, type Origin, originOf, traced } from "../../shared/stacks.js"
import { KvU64 } from "../../shared/u64.js"
import type { Core, Transport } from "../../transport.js"
import { decodeValue, encodeValue, LateValue } from "../../value/index.js"
import { commit, copyCheck } from "./atomic.js"
import type { ConflictQueue } from "./conflict-queue.js"
import { mergePatch } from "./merge-patch.js"
import { MutationMethods } from "./mutation-methods.js"
import {
  CommitUuid,
  type Counting,
  checkCounter,
  type Operand,
  type Operation,
  resolve,
  writeKey,
} from "./mutations.js"

const DEFAULT_RETRIES = 10

/**
 * The wait before a retry: a random part of a time that grows with each. Without the randomness, all
 * conflicting transactions would retry together, and all but one of them conflict again.
 */
function waitMs(delayMs: number, attempt: number): number {
  return random() * delayMs * attempt
}

/** Runs `run` until its commit meets no conflict, or the retries are used up. */
export function transact<R>(
  transport: Transport,
  conflicts: ConflictQueue,
  run: (tx: KvTransaction) => R | Promise<R>,
  options?: KvTransactionOptions,
): Promise<KvTransactionResult<R>> {
  const origin = originOf(false)
  const done = attempts(transport, conflicts, run, options, origin)
  return origin === undefined ? awaited(done) : done
}

async function attempts<R>(
  transport: Transport,
  conflicts: ConflictQueue,
  run: (tx: KvTransaction) => R | Promise<R>,
  options: KvTransactionOptions | undefined,
  origin: Origin | undefined,
): Promise<KvTransactionResult<R>> {
  if (typeof run !== "function") throw invalidArgument(`fn: must be a function, got ${describe(run)}`)
  const given = takeOptions<KvTransactionOptions>(options, ["maxRetries", "retryDelay", "signal"])
  const { maxRetries = DEFAULT_RETRIES, retryDelay = "10ms" } = given
  wholeNumber(maxRetries, "maxRetries", 0, Number.MAX_SAFE_INTEGER)
  const delayMs = transport.core.durationMs(retryDelay, "retryDelay")
  const signal = signalOf(given.signal)
  let endTurn = () => {}
  for (let attempt = 1; ; attempt++) {
    const { value, result } = await Transaction.run(new Transaction(transport), run, origin, signal).finally(
      endTurn,
    )
    if (result.ok) return { ok: true, value, versionstamp: result.versionstamp }
    if (attempt > maxRetries) return { ok: false }
    refuseAborted(signal)
    await pause(transport, waitMs(delayMs, attempt), signal)
    refuseAborted(signal)
    const [conflict] = result.conflicts
    const turn = conflicts.take(identity(transport.core, (conflict as KvCheck).key))
    endTurn = await unlessAborted(turn, signal, (end) => end())
    try {
      // If it was closed meanwhile, the function is not called again.
      transport.checkOpen()
    } catch (error) {
      endTurn()
      throw error
    }
  }
}

/** Closing ends it, and so does the signal. */
function pause(transport: Transport, ms: number, signal: Signal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel()
      endSignal()
      transport.detach(pausing)
      resolve()
    }
    const pausing = { end }
    const cancel = after(ms, end)
    const endSignal = onAbort(signal, end)
    try {
      transport.attach(pausing)
    } catch (error) {
      cancel()
      endSignal()
      throw error
    }
  })
}

/** The text of a key's encoding: equal for equal keys. */
function identity(core: Core, key: readonly unknown[]): string {
  return Buffer.from(core.encodeKey(key)).toString("latin1")
}

class Transaction extends MutationMethods implements KvTransaction {
  readonly #transport: Transport
  readonly #reads = new Map<string, Promise<KvEntryMaybe>>()
  readonly #checks: KvCheck[] = []
  readonly #operations: Operation[] = []
  /** The operations on each key that can be read back. */
  readonly #writes = new Map<string, Operation[]>()
  readonly #uuid: CommitUuid
  #ended = false

  constructor(transport: Transport) {
    super(transport.core, (operation) => this.#add(operation))
    this.#transport = transport
    this.#uuid = new CommitUuid(transport.core)
  }

  /** Static, so that the function's argument does not have it. */
  static async run<R>(
    transaction: Transaction,
    fn: (tx: KvTransaction) => R | Promise<R>,
    origin: Origin | undefined,
    signal: Signal | undefined,
  ): Promise<{ value: R; result: KvCommitResult | KvCommitError }> {
    try {
      const value = await unlessAborted(Promise.resolve(fn(transaction)), signal)
      transaction.#ended = true
      return { value, result: await transaction.#commit(origin, signal) }
    } finally {
      transaction.#ended = true
    }
  }

  /** After the function has run, only `origin` leads to the caller of the transaction. */
  async #commit(
    origin: Origin | undefined,
    signal: Signal | undefined,
  ): Promise<KvCommitResult | KvCommitError> {
    const reads = await Promise.all(this.#reads.values())
    // From here on it is the commit that says how it went.
    refuseAborted(signal)
    const checks = [...reads.map(({ key, versionstamp }) => ({ key, versionstamp })), ...this.#checks]
    const stamping = this.#operations.length === 0 ? "never" : "always"
    try {
      return await commit(this.#transport, checks, this.#operations, this.#uuid, stamping)
    } catch (error) {
      throw traced(error, origin)
    }
  }

  get<T>(key: KvKey): Promise<KvEntryMaybe<T>>
  get<T>(keys: readonly KvKey[]): Promise<KvEntryMaybe<T>[]>
  async get<T>(
    key: KvKey | readonly KvKey[],
    ...extra: unknown[]
  ): Promise<KvEntryMaybe<T> | KvEntryMaybe<T>[]> {
    refuseExtra(extra)
    if (isKeyList(key)) return this.getMany(key)
    return ((await this.getMany([key])) as KvEntryMaybe<T>[])[0] as KvEntryMaybe<T>
  }

  async getMany<T>(keys: readonly KvKey[], ...extra: unknown[]): Promise<KvEntryMaybe<T>[]> {
    refuseExtra(extra)
    this.#checkOpen()
    const list = copyKeys(keys)
    const ids = list.map((key) => identity(this.#transport.core, key))
    this.#fetch(list, ids)
    const entries = await Promise.all(ids.map((id) => this.#reads.get(id) as Promise<KvEntryMaybe>))
    return entries.map((entry, at) => this.#preview(entry, ids[at] as string)) as KvEntryMaybe<T>[]
  }

  /** Reads the keys that were not read before, from one snapshot. */
  #fetch(keys: readonly KvKey[], ids: readonly string[]): void {
    const fresh = new Map(ids.map((id, at) => [id, keys[at] as KvKey]))
    for (const id of ids) if (this.#reads.has(id)) fresh.delete(id)
    if (fresh.size === 0) return
    const entries = this.#transport.getMany([...fresh.values()], "strong", false)
    for (const [at, id] of [...fresh.keys()].entries()) {
      const read = entries.then((all) => all[at] as KvEntryMaybe)
      read.catch(() => {})
      this.#reads.set(id, read)
    }
  }

  /**
   * A read entry after this transaction's writes: a copy for the caller, so that changing it changes no
   * other.
   */
  #preview(entry: KvEntryMaybe, id: string): KvEntryMaybe {
    const writes = this.#writes.get(id) ?? []
    const own = { ...entry, value: entry.versionstamp === null ? ABSENT : cloned(entry.value) } as Preview
    const now = writes.reduce((now, write) => preview(now, write, entry, this.#uuid), own)
    return (now.value === ABSENT ? { ...now, value: null } : now) as KvEntryMaybe
  }

  check(...checks: KvCheck[]): this {
    this.#checkOpen()
    for (const check of checks) this.#checks.push(copyCheck(check))
    return this
  }

  delete(key: KvKey, ...extra: unknown[]): this {
    refuseExtra(extra)
    if (!isList(key)) throw invalidArgument(`key: must be an array of parts, got ${describe(key)}`)
    this.#add({ type: "delete", key: copyKey(key) })
    return this
  }

  #add(operation: Operation & { key?: readonly unknown[] }): void {
    this.#checkOpen()
    if (operation.type === "enqueue") {
      this.#operations.push(operation)
      return
    }
    const { parts, stamped } = writeKey(operation.key as readonly unknown[], this.#uuid)
    // A key that ends with the commit's versionstamp is not known yet: nobody can read it back.
    if (!stamped) {
      const id = identity(this.#transport.core, parts)
      this.#writes.set(id, [...(this.#writes.get(id) ?? []), operation])
    }
    this.#operations.push(operation)
  }

  #checkOpen(): void {
    if (this.#ended)
      throw invalidArgument(
        "tx: the transaction has ended; await what is done in it before its function returns",
      )
  }
}

function cloned(value: unknown): unknown {
  const encoded = encodeValue(value, "value")
  return encoded instanceof LateValue ? value : decodeValue(encoded.encoding, encoded.data)
}

/** The value of an entry that is absent, also where a write of the transaction has removed it. */
const ABSENT = Symbol("absent")

/** An entry during the transaction. */
type Preview = Omit<KvEntryMaybe, "value"> & { value: unknown; expiresAt?: number }

function preview(now: Preview, write: Operation, base: KvEntryMaybe, uuid: CommitUuid): Preview {
  const { key, versionstamp } = base
  switch (write.type) {
    case "set": {
      const { encoding, data } = resolve(write.value, uuid)
      return { key, value: decodeValue(encoding, data), versionstamp }
    }
    case "delete":
    case "deleteRange":
      return { key, value: ABSENT, versionstamp: null }
    case "patch": {
      const { encoding, data } = resolve(write.value, uuid)
      return changed(now, write, mergePatch(now.value, decodeValue(encoding, data)), base)
    }
    case "enqueue":
      return now
    case "append":
    case "prepend": {
      const { encoding, data } = resolve(write.value, uuid)
      const added = decodeValue(encoding, data) as unknown[]
      const stored = now.value === ABSENT ? [] : arrayOf(now.value)
      return changed(now, write, joinInPlace(write.type, stored, added), base)
    }
    default:
      return changed(now, write, count(write.type, now.value, write.operand), base)
  }
}

/** Its expiry is known only if it is kept: a new time to live counts from the commit. */
function changed(
  now: Preview,
  write: { expiresIn: unknown },
  value: unknown,
  { key, versionstamp }: KvEntryMaybe,
): Preview {
  const kept =
    write.expiresIn === undefined && now.expiresAt !== undefined ? { expiresAt: now.expiresAt } : {}
  return { key, value, versionstamp, ...kept }
}

/**
 * In the array itself, which may hold itself, and with its holes: the caller's own copy of what is stored.
 */
function joinInPlace(type: "append" | "prepend", stored: unknown[], added: readonly unknown[]): unknown[] {
  const joined = type === "append" ? stored.concat(added) : added.concat(stored)
  stored.length = 0
  stored.length = joined.length
  joined.forEach((element, at) => {
    stored[at] = element
  })
  return stored
}

function arrayOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  throw new KvError("TYPE_MISMATCH", "the stored value is not an array")
}

/**
 * The same law as `src/engine/commit/arithmetic.rs`; one table of cases holds both
 * (`testdata/counters.json`).
 */
function count(type: Counting, stored: unknown, given: Operand): bigint | KvU64 {
  const operand = given instanceof KvU64 ? given.value : BigInt(given)
  if (stored === ABSENT) return given instanceof KvU64 ? given : operand
  if (stored instanceof KvU64) {
    if (BigInt.asUintN(64, operand) !== operand) {
      const what = operand < 0n ? "negative" : "over 2^64 - 1"
      throw invalidArgument(`value: the stored counter is a KvU64, and the operand is ${what}`)
    }
    return new KvU64(BigInt.asUintN(64, combine(type, stored.value, operand)))
  }
  const isInteger = typeof stored === "bigint" || Number.isInteger(stored)
  if (isInteger && given instanceof KvU64)
    throw new KvError("TYPE_MISMATCH", "the stored value is not a KvU64, and the operand is one")
  if (isInteger) {
    const int = BigInt(stored as bigint | number)
    checkCounter("stored counter", int)
    const result = combine(type, int, operand)
    checkCounter("result", result)
    return result
  }
  throw new KvError("TYPE_MISMATCH", "the stored value is not a bigint, an integer number or a KvU64")
}

function combine(type: Counting, stored: bigint, operand: bigint): bigint {
  if (type === "sum") return stored + operand
  return stored > operand === (type === "max") ? stored : operand
}
