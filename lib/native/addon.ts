/** The addon, as `src/binding/handle.rs` makes it. The only module that loads it. */

import { types } from "node:util"
import type { KvErrorCode } from "../../index.js"
import addon from "../../native.cjs"
import { KvError } from "../shared/errors.js"
import { beneath } from "../shared/stacks.js"
import type { Packet } from "../wire/page.js"

/** A list: where it stands. */
export interface NativeScan {
  /** The page that was read last is to be read again, and from there on each value is looked at. */
  again(): void
}

/** A backup under way. */
export type NativeBackup = { readonly __backup: unique symbol }

/** A watch under way. */
export type NativeWatch = { readonly __watch: unique symbol; readonly id: number }

/** A search under way. */
export type NativeSearch = { readonly __search: unique symbol }

/** A change feed: what it reads. */
export type NativeFeed = { readonly __feed: unique symbol }

/** The answer comes by mail. */
type Later = undefined

/** Arguments are `unknown` where Rust checks them. */
export interface NativeHandle {
  checkValues(): void
  readBatch(keys: readonly unknown[], many: boolean, id: number): Packet
  keepSnapshot(): void
  releaseSnapshot(): void
  scan(
    prefix: unknown,
    start: unknown,
    end: unknown,
    cursor: string,
    reverse: boolean,
    keysOnly: boolean,
    batch: number,
    filter: string | undefined,
  ): NativeScan
  scanPage(scan: NativeScan, limit: number, id: number): Packet
  count(id: number, prefix: unknown, start: unknown, end: unknown, filter: string | undefined): Later
  set(
    id: number,
    key: unknown,
    stamped: boolean,
    data: string | Uint8Array,
    encoding: number,
    expiresIn: unknown,
  ): void
  backup(path: string, overwrite: boolean, watched: boolean): NativeBackup
  backupNews(backup: NativeBackup, id: number): Later
  stopBackup(backup: NativeBackup): void
  stopBackups(): void
  flush(): void
  begin(): void
  check(key: unknown, versionstamp: unknown): void
  put(key: unknown, stamped: boolean, data: string | Uint8Array, encoding: number, expiresIn: unknown): void
  remove(key: unknown): void
  removeTree(key: unknown, exact: boolean, filter: string | undefined): void
  removeRange(prefix: unknown, start: unknown, end: unknown, filter: string | undefined): void
  arithmetic(operation: number, key: unknown, operand: unknown, isU64: boolean, expiresIn: unknown): void
  splice(front: boolean, key: unknown, data: string, encoding: number, expiresIn: unknown): void
  patch(key: unknown, data: string | Uint8Array, encoding: number, expiresIn: unknown): void
  touch(key: unknown, expiresIn: unknown): void
  enqueue(
    data: string | Uint8Array,
    encoding: number,
    queue: unknown,
    delay: unknown,
    backoffSchedule: unknown,
    keysIfUndelivered: unknown,
    orderingKey: unknown,
    deduplicationKey: unknown,
    deadLetter: boolean,
  ): void
  submit(id: number, stamping: number): void
  attend(reasons: number): void
  wakeAt(atMs: number): void
  watch(
    keys: readonly unknown[],
    reach: number,
    emitInitial: boolean,
    from: unknown,
    bufferKeys: number | undefined,
    dropNewest: boolean,
  ): NativeWatch
  watchStep(watch: NativeWatch, id: number): Packet
  stopWatch(watch: NativeWatch): void
  watchNews(id: number): Packet
  feed(after: number | undefined, prefix: unknown): NativeFeed
  follow(feed: NativeFeed): number
  unfollow(feed: NativeFeed): void
  feedPage(feed: NativeFeed, after: number | undefined, limit: number, id: number): Packet
  logHead(id: number): Later
  trimLog(id: number, seq: unknown): void
  settle(message: string, lease: number, end: number, error: string): void
  work(id: number, queue: string, claim: number, lockMs: number): void
  stopRenewing(message: string, lease: number): void
  settleNow(id: number, message: string, lease: number, end: number, error: string): void
  waitFor(kind: number, name: string): void
  waitNoMore(kind: number, name: string): void
  dues(id: number): Packet
  queueDue(queue: string, id: number): Packet
  queueStats(id: number, queue: unknown): Later
  deadLetters(id: number, queue: unknown, offset: number, limit: number): Later
  deadLetter(id: number, letter: unknown): Later
  requeue(id: number, letter: unknown): void
  deleteDeadLetter(id: number, letter: unknown): void
  purgeDeadLetters(id: number, queue: unknown): void
  lock(id: number, name: unknown, owner: unknown, duration: unknown): void
  unlock(id: number, name: string, token: number): void
  lockStatus(id: number, name: unknown): Packet
  takeConsumer(id: number, name: string, prefix: unknown, lease: number, leaseMs: number): void
  commitConsumer(id: number, name: string, lease: number, leaseMs: number, seq: unknown): void
  releaseConsumer(id: number, name: string, lease: number): void
  deleteConsumer(id: number, name: string): void
  consumerStatus(name: string, id: number): Packet
  createSearchIndex(id: number, prefix: unknown, fields: unknown, tokenize: unknown): void
  createOrderedIndex(id: number, prefix: unknown, on: unknown, unique: boolean): void
  removeIndexes(id: number, prefix: unknown, name: unknown): void
  explain(id: number, prefix: unknown, start: unknown, end: unknown, filter: string | undefined): Later
  listIndexes(id: number): Later
  search(prefix: unknown, query: unknown, filter: string | undefined): NativeSearch
  searchPage(search: NativeSearch, offset: number, wanted: number, id: number): Packet
  metrics(prometheus: boolean): string
  info(id: number): Later
  readonly mailboxNumber: number
  hold(pending: boolean): void
  now(): number
  freezeClock(atMs: number | null): void
  shiftClock(byMs: number): void
  sweep(id: number): Later
  close(id: number): void
  release(): void
}

interface Addon {
  Handle: new (
    url: unknown,
    durability: unknown,
    busyTimeout: unknown,
    sweepInterval: unknown,
    changeLog: unknown,
    retention: unknown,
    deadLetterRetention: unknown,
    wake: () => void,
  ) => NativeHandle
  drain(mailbox: number): Packet
  cursorAfter(key: unknown, reverse: boolean): string
  encodeKey(key: unknown): Uint8Array
  decodeKey(bytes: Uint8Array): string
  durationMs(duration: unknown, name: string): number
  leaseMs(lease: unknown, name: string): number
  checkQueue(queue: unknown): void
  checkConsumer(name: unknown): void
  uuidv7(): string
  fileId(url: unknown): string | null
  copyId(): string
}

export const native = addon as Addon

const CODES: ReadonlySet<string> = new Set<KvErrorCode>([
  "INVALID_ARGUMENT",
  "LIMIT_EXCEEDED",
  "TYPE_MISMATCH",
  "CLOSED",
  "BUSY",
  "CONFLICT",
  "HISTORY_GONE",
  "UNAVAILABLE",
  "CORRUPT",
  "UNSUPPORTED",
])

/** What a panic in Rust is on its way here: it ends the call, not the process. */
const PANIC = "GenericFailure"
const FAULT =
  "the call was stopped by a fault in KeyVal itself; close every Kv on this store, open it again, and report it"

/** Calls a function of the addon that needs no open `Kv`. */
export function callNative<R>(call: (addon: Addon) => R, place = ""): R {
  try {
    return call(native)
  } catch (error) {
    throw beneath(fromNative(error, place), callNative)
  }
}

/** An error that the addon threw, as ours; any other error as it is. */
export function fromNative(error: unknown, place = ""): unknown {
  if (error instanceof KvError || !types.isNativeError(error) || !("code" in error)) return error
  const code = String(error.code)
  if (CODES.has(code)) return new KvError(code as KvErrorCode, place + error.message)
  return code === PANIC ? new KvError("UNAVAILABLE", `${place}${FAULT}`, { cause: error }) : error
}
