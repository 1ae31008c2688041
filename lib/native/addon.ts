/** The addon, as `src/binding/handle.rs` makes it. The only module that loads it. */

import { types } from "node:util"
import type { KvErrorCode } from "../../index.js"
import addon from "../../native.cjs"
import { at, KvError, type SystemSource, systemError } from "../shared/errors.js"
import type { KeyRange } from "../shared/keys.js"
import type { KvSettings } from "../shared/options.js"
import { beneath } from "../shared/stacks.js"
import type {
  Capabilities,
  EnqueueMutation,
  Queries,
  Readers,
  Request,
  Settlement,
  Writes,
} from "../transport.js"
import type { Packet } from "../wire/page.js"

/** A list: its position. */
export interface NativeList {
  /** Makes the next page the last one again; from there on each value is checked. */
  again(): void
}

/** A backup under way. */
export type NativeBackup = { readonly __backup: unique symbol }

/** A watch under way, with the number that `changedSubscribers` names it by. */
export type NativeWatch = { readonly __watch: unique symbol; readonly id: number }

/** A search under way. */
export type NativeSearch = { readonly __search: unique symbol }

/** A change feed: what it reads. */
export type NativeFeed = { readonly __feed: unique symbol }

/** The answer comes by mail. */
type Later = undefined

/** A request of one kind, whose members Rust reads by their names (`src/binding/`). */
type Asked<Family, K extends keyof Family> = Omit<Request<Family, K>, "kind">
type Data = string | Uint8Array
type SettledMessage = Pick<Settlement, "message" | "lease" | "error">

/**
 * An open store. `id`: the one under which an answer comes by mail. Arguments are `unknown` where Rust checks
 * them. The mutations of single keys take theirs one by one: each member of an object would cost a call of
 * Node-API.
 */
export interface NativeHandle {
  capabilities(): Omit<Capabilities, "backend">
  checkValues(): void
  readBatch(id: number, keys: readonly unknown[], many: boolean, keysOnly: boolean): Packet
  getSync(key: unknown): Exclude<Packet, undefined>
  getManySync(keys: readonly unknown[], keysOnly: boolean): Exclude<Packet, undefined>
  keepSnapshot(): void
  releaseSnapshot(): void
  listOpen(request: Omit<Asked<Readers, "list">, "consistency">): NativeList
  listPage(id: number, list: NativeList, limit: number): Packet
  count(id: number, range: Asked<Queries, "count">): Later
  children(id: number, request: Omit<Asked<Queries, "children">, "counts"> & { counts: number }): Packet
  explain(id: number, range: Asked<Queries, "explain">): Later

  set(id: number, key: unknown, stamped: boolean, data: Data, encoding: number, expiresIn: unknown): void
  flush(): void
  begin(): void
  check(key: unknown, versionstamp: unknown): void
  put(key: unknown, stamped: boolean, data: Data, encoding: number, expiresIn: unknown): void
  delete(key: unknown): void
  deleteTree(key: unknown, exact: boolean, filter: string | undefined): void
  deleteRange(range: KeyRange & { where: string | undefined }): void
  arithmetic(operation: number, key: unknown, operand: unknown, isU64: boolean, expiresIn: unknown): void
  append(front: boolean, key: unknown, data: string, encoding: number, expiresIn: unknown): void
  patch(key: unknown, data: Data, encoding: number, expiresIn: unknown): void
  touch(key: unknown, expiresIn: unknown): void
  enqueue(data: Data, encoding: number, options: Omit<EnqueueMutation, "type" | "value">): void
  submit(id: number, stamping: number): void

  setNoticeReasons(reasons: number): void
  wakeAt(atMs: number): void
  waitForNotice(kind: number, name: string): void
  stopWaitingForNotice(kind: number, name: string): void
  noticeDues(id: number): Packet
  /** The watches and feeds that new changes concern. */
  changedSubscribers(id: number): Packet

  watchOpen(request: Omit<Asked<Readers, "watch">, "reach">, reach: number): NativeWatch
  watchNext(id: number, watch: NativeWatch): Packet
  watchStop(watch: NativeWatch): void
  changesOpen(after: number | undefined, prefix: unknown): NativeFeed
  changesPage(id: number, feed: NativeFeed, after: number | undefined, limit: number): Packet
  changesSubscribe(feed: NativeFeed): number
  changesUnsubscribe(feed: NativeFeed): void
  changesHead(id: number): Later
  changesTrim(id: number, seq: unknown): void

  queueSettle(settlement: SettledMessage, end: number): void
  queueClaim(id: number, request: Omit<Asked<Writes, "queueClaim">, "settled">): void
  queueStopRenewing(message: string, lease: number): void
  queueSettleNow(id: number, settlement: SettledMessage, end: number): void
  queueDue(id: number, queue: string): Packet
  queueStats(id: number, queue: unknown): Later
  queueDeadLetters(id: number, request: Asked<Queries, "deadLetters">): Later
  queueDeadLetter(id: number, letter: unknown): Later
  queueRequeue(id: number, letter: unknown): void
  queueDeleteDeadLetter(id: number, letter: unknown): void
  queuePurgeDeadLetters(id: number, queue: unknown): void

  lockTake(id: number, request: Asked<Writes, "takeLock">): void
  lockRelease(id: number, name: string, token: number): void
  lockStatus(id: number, name: unknown): Packet
  consumerTake(id: number, request: Asked<Writes, "takeConsumer">): void
  consumerCommit(id: number, request: Asked<Writes, "commitConsumer">): void
  consumerRelease(id: number, name: string, lease: number): void
  consumerDelete(id: number, name: string): void
  consumerStatus(id: number, name: string): Packet

  indexCreateSearch(id: number, request: Asked<Writes, "createSearchIndex">): void
  indexCreateOrdered(id: number, request: Asked<Writes, "createOrderedIndex">): void
  indexRemove(id: number, prefix: unknown, name: unknown): void
  indexList(id: number): Later
  searchOpen(request: Asked<Readers, "search">): NativeSearch
  searchPage(id: number, search: NativeSearch, offset: number, wanted: number): Packet

  backupOpen(request: Asked<Readers, "backup">): NativeBackup
  backupNext(id: number, backup: NativeBackup): Later
  backupStop(backup: NativeBackup): void
  backupStopAll(): void

  metrics(prometheus: boolean): string
  info(id: number): Later
  readonly mailboxNumber: number
  /** Keeps the process alive, or lets it end. */
  hold(pending: boolean): void
  now(): number
  freezeClock(atMs: number | null): void
  shiftClock(byMs: number): void
  sweep(id: number): Later
  close(id: number): void
  release(): void
}

interface Addon {
  Handle: new (options: KvSettings, wake: () => void) => NativeHandle
  drain(mailbox: number): Packet
  cursorAfter(key: unknown, reverse: boolean): string
  encodeKey(key: unknown): Uint8Array
  decodeKey(bytes: Uint8Array): string
  durationMs(duration: unknown, name: string): number
  timeToLiveMs(duration: unknown, name: string): number
  checkPrefix(prefix: unknown): void
  leaseMs(lease: unknown, name: string): number
  checkQueue(queue: unknown): void
  checkConsumer(name: unknown): void
  uuidv7(): string
  fileId(url: unknown, name: string): string | null
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

/** The code of a panic in Rust: it ends the call, not the process. */
const PANIC = "GenericFailure"
const FAULT =
  "the call was stopped by a fault in KeyVal itself; close every Kv on this store, open it again, and report it"

/** Calls a function of the addon that needs no open `Kv`. */
export function callNative<R>(call: (addon: Addon) => R, place?: string): R {
  try {
    return call(native)
  } catch (error) {
    throw beneath(fromNative(error, place), callNative)
  }
}

/** An error that the addon threw, as ours; any other error as it is. */
export function fromNative(error: unknown, place?: string): unknown {
  if (error instanceof KvError || !types.isNativeError(error) || !("code" in error)) return error
  const ours = ourError(error, String(error.code))
  return place === undefined ? ours : at(place, ours)
}

function ourError(error: Error, code: string): Error {
  if (CODES.has(code)) return new KvError(code as KvErrorCode, error.message, causeOf(error))
  return code === PANIC ? new KvError("UNAVAILABLE", FAULT, { cause: error }) : error
}

/** The system's error is the text of the cause. */
function causeOf({ cause }: Error): { cause?: unknown } {
  if (!types.isNativeError(cause)) return {}
  return { cause: systemError(JSON.parse(cause.message) as SystemSource) }
}
