/**
 * The seam between the public classes (`api/`) and whatever carries their calls to a store. Everything that
 * crosses it is data: a request names its kind, its members hold plain values, and the kind determines the
 * answer. The addon is one carrier (`native/transport.ts`); one over HTTP implements the same interface.
 * Types only. Longer than 400 lines: all of the seam is in one place.
 */

import type {
  Duration,
  KvBackupProgress,
  KvBackupResult,
  KvChange,
  KvCheck,
  KvChild,
  KvCommitError,
  KvCommitResult,
  KvConsistency,
  KvDeadLetter,
  KvDeleteResult,
  KvEntry,
  KvEntryMaybe,
  KvExplanation,
  KvIndex,
  KvInfo,
  KvKey,
  KvLockStatus,
  KvQueueStats,
  KvSetResult,
  KvWatchBatch,
} from "../index.js"
import type { KeyBound, KeyRange } from "./shared/keys.js"
import type { Encoded } from "./value/index.js"

/** One `Kv`'s way to its store. What is wrong with a request makes it throw, or reject, a `KvError`. */
export interface Transport {
  readonly core: Core
  readonly capabilities: Capabilities
  /** The controls for tests, if this carrier has them. */
  readonly testControls?: TestControls
  readonly closed: boolean
  /** Throws if it is closed. */
  checkOpen(): void
  /**
   * The store's time, in milliseconds since the epoch. It may be an estimate that is behind, never ahead
   * (unless the store's clock was set back after its last answer): it is at least the time of the last answer
   * received, so whatever that answer calls due is due here too. Only the store decides by its time what has
   * expired and who holds a lease; here it says when to ask.
   */
  now(): number
  /** Reads a key, with the others of this tick that ask for as much. */
  get<T>(key: KvKey, consistency: KvConsistency): Promise<KvEntryMaybe<T>>
  /** Reads keys from one snapshot, with the others of this tick that ask for as much. */
  getMany<T>(
    keys: readonly KvKey[],
    consistency: KvConsistency,
    /** The entries, also those that are absent, have no value. */
    keysOnly: boolean,
  ): Promise<KvEntryMaybe<T>[]>
  /** Reads a key before it returns. Where `capabilities.syncReads` says that it cannot, nobody calls it. */
  getSync<T>(key: KvKey): KvEntryMaybe<T>
  /** The same of keys, from one snapshot. */
  getManySync<T>(keys: readonly KvKey[], keysOnly: boolean): KvEntryMaybe<T>[]
  /**
   * Begins a read in steps. Throws `CLOSED` and errors of the request itself at once. What only the store
   * knows (`BUSY`, `CORRUPT`, `HISTORY_GONE`, a log that is off) comes with the first step at the latest.
   */
  open<K extends keyof Readers>(request: Request<Readers, K>): Readers[K]["gives"]
  /** Answers at once where it can. */
  query<K extends keyof Queries>(
    request: Request<Queries, K>,
  ): Queries[K]["gives"] | Promise<Queries[K]["gives"]>
  /** Writes of one tick travel together; each is a commit of its own. */
  write<K extends keyof Writes>(request: Request<Writes, K>): Promise<Writes[K]["gives"]>
  /** Calls a subscriber when there may be something for it. */
  subscribe<K extends keyof Subscriptions>(
    request: Request<Subscriptions, K>,
    subscriber: Subscriptions[K]["calls"],
  ): Subscriptions[K]["gives"]
  /** A handler has ended, and its message is settled later: its lease is not renewed any more. */
  stopRenewing(message: string, lease: number): void
  /**
   * It runs and keeps the process alive until it is detached. Throws if the transport is closed.
   */
  attach(running: Running): void
  /** It runs, and does not keep the process alive any more. */
  unref(running: Running): void
  detach(running: Running): void
  /** Ends what is attached, then waits for what is under way. */
  close(): Promise<void>
}

/** The kind of store, and its capabilities: data that does not change while it is open. */
export interface Capabilities extends Readonly<KvInfo["capabilities"]> {
  readonly backend: KvInfo["backend"]
  /**
   * If it cannot be copied to a path, `kv.backup` checks its arguments and rejects with `UNSUPPORTED`.
   */
  readonly backup: boolean
  /** It can read without a promise. Where it cannot, `kv.getSync` throws `UNSUPPORTED`. */
  readonly syncReads: boolean
}

/** The controls of a store for tests (`testing.ts`). */
export interface TestControls {
  /** Freezes its clock at a time, or (`null`) lets it run. */
  freezeClock(atMs: number | null): void
  /** Its machine's clock is wrong by so many milliseconds from now on. */
  shiftClock(byMs: number): void
  /** Runs one sweep. */
  sweep(): Promise<void>
}

/** A task that runs until it is ended or detached. */
export interface Running {
  /** The transport is being closed: the last moment to write. */
  end(): void
}

/** Functions of the core that need no open store. They throw what is wrong with their arguments. */
export interface Core {
  /** The cursor that goes on after an entry. */
  cursorAfter(key: KvKey, reverse: boolean): string
  /** Equal for equal keys. */
  encodeKey(key: readonly unknown[]): Uint8Array
  durationMs(duration: Duration, name: string): number
  timeToLiveMs(duration: unknown, name: string): number
  /** A duration within the limits of a lease. */
  leaseMs(lease: Duration, name: string): number
  checkPrefix(prefix: unknown): void
  checkQueue(queue: unknown): void
  checkConsumer(name: unknown): void
  uuidv7(): string
}

/** A request of one kind of a family. */
export type Request<Family, K extends keyof Family> = { kind: K } & (Family[K] extends { takes: infer Takes }
  ? Takes
  : object)

/** The text of a filter (`api/query/filter.ts`). */
type Where = string | undefined

/** Reads in steps, by kind. */
export interface Readers {
  list: {
    takes: KeyRange & {
      /** Exclusive; in reverse the end. */
      after: KeyBound | undefined
      cursor: string
      reverse: boolean
      keysOnly: boolean
      consistency: KvConsistency
      /** Entries that are looked for at once. */
      batch: number
      where: Where
    }
    gives: ListReader
  }
  search: { takes: { prefix: unknown; query: unknown; where: Where }; gives: SearchReader }
  /** `after`: the number of the change before the first one; nothing: from the oldest. */
  changes: { takes: { after: number | undefined; prefix: unknown }; gives: ChangesReader }
  watch: {
    takes: {
      keys: readonly KvKey[]
      /** The keys alone, what is under them too, or that alone. */
      reach: "exact" | "tree" | "under"
      emitInitial: boolean
      from: unknown
      bufferKeys: number | undefined
      dropNewest: boolean
    }
    gives: WatchReader
  }
  /** Where `capabilities.backup` says that there is none, nobody opens it. */
  backup: { takes: { path: string; overwrite: boolean; watched: boolean }; gives: BackupReader }
}

export interface ListReader {
  /**
   * The next page, of at most `limit` entries. At once, unless it takes long or the event loop is due a turn.
   */
  page(limit: number): ListPage | Promise<ListPage>
}

/** Entries of a list. One whose value cannot be read says so (`value/unreadable.ts`). */
export interface ListPage {
  entries: KvEntry<unknown>[]
  /** The list goes on. */
  more: boolean
  /** Whether there is another entry is not known yet: those that were looked at do not match. */
  unsure: boolean
}

export interface SearchReader {
  /** The next matches, best first; `wanted`: how many are still to come at most. */
  page(wanted: number): Promise<{ entries: KvEntry[]; more: boolean }>
}

export interface ChangesReader {
  /** The number after which the next page begins. */
  readonly position: number | undefined
  readonly isSubscribed: boolean
  /** The next page; it may be empty though there is more. */
  page<T>(limit: number): Promise<{ changes: KvChange<T>[]; more: boolean }>
  /** Once a page was the last one, notifies when there is another. What is there now is still to be read. */
  subscribe(waiter: Waiter): void
  unsubscribe(): void
}

export interface WatchReader {
  /** The next batch, when there is one; nothing once it is stopped. */
  next<T>(): Promise<KvWatchBatch<T> | undefined>
  stop(): void
}

export interface BackupReader {
  /** Progress, to which asking once more agrees, or the end. */
  next(): Promise<KvBackupProgress | KvBackupResult>
  /** Its end is still to be asked for. */
  stop(): void
}

/** Questions, by kind. */
export interface Queries {
  count: { takes: KeyRange & { where: Where }; gives: number }
  /** The distinct next parts under a prefix. `after`: the key of the child to go on behind. */
  children: {
    takes: { prefix: unknown; after: unknown; limit: number; counts: "none" | "some" | "all" }
    gives: { children: KvChild[]; hasMore: boolean }
  }
  explain: { takes: KeyRange & { where: Where }; gives: KvExplanation }
  listIndexes: { gives: KvIndex[] }
  /** The number of the newest change. */
  changesHead: { gives: number }
  lockStatus: { takes: { name: unknown }; gives: KvLockStatus }
  consumerStatus: {
    takes: { name: string }
    gives: { position: number; head: number; leaseExpiresAt: number | null }
  }
  queueStats: { takes: { queue: unknown }; gives: KvQueueStats }
  /** When a queue has something to do next; never: `null`. */
  queueDue: { takes: { queue: string }; gives: number | null }
  /** A page, from `offset` on: it may have less than `limit` though there is more. */
  deadLetters: {
    takes: { queue: unknown; offset: number; limit: number }
    gives: { letters: KvDeadLetter[]; more: boolean }
  }
  deadLetter: { takes: { id: unknown }; gives: KvDeadLetter | undefined }
  storeInfo: { gives: StoreInfo }
  /** The metrics of this `Kv`: JSON, or Prometheus' text. */
  metrics: { takes: { format: "json" | "prometheus" }; gives: string }
}

export interface StoreInfo
  extends Pick<
    KvInfo,
    "sqliteVersion" | "schemaVersion" | "databaseId" | "changeLog" | "retentionMs" | "deadLetterRetentionMs"
  > {
  sizeBytes: number
  entries: number
}

/** Arguments that are `unknown` are checked behind the seam. */
export type SetMutation = {
  type: "set"
  key: readonly unknown[]
  /** The commit's versionstamp is appended to the key. */
  stamped: boolean
  value: Encoded
  expiresIn: unknown
}
export type EnqueueMutation = {
  type: "enqueue"
  value: Encoded
  queue: unknown
  delay: unknown
  backoffSchedule: unknown
  keysIfUndelivered: unknown
  orderingKey: unknown
  deduplicationKey: unknown
  deadLetter: boolean
}
export type DeleteMutation =
  | { type: "delete"; key: KvKey }
  /** A key and what is under it, or (`exact`) the key alone, if they match. */
  | { type: "deleteTree"; key: KvKey; exact: boolean; where: Where }
  | ({ type: "deleteRange"; where: Where } & KeyRange)
export type Mutation =
  | SetMutation
  | EnqueueMutation
  | DeleteMutation
  | { type: "sum" | "max" | "min"; key: KvKey; operand: bigint | number; isU64: boolean; expiresIn: unknown }
  | { type: "append" | "prepend" | "patch"; key: KvKey; value: Encoded; expiresIn: unknown }

/** How an attempt to handle a message ended. */
export interface Settlement {
  message: string
  lease: number
  /**
   * `returned`: it never began; `released`: another listener gets it; `unreadable`: its value is damaged.
   */
  end: "done" | "failed" | "returned" | "released" | "unreadable"
  error: string
}

export interface ClaimedMessage {
  id: string
  lease: number
  attempts: number
  /** Not there if it cannot be read. */
  value?: unknown
}

/** A consumer's holder: its name, and the lease that it was given last. */
interface ConsumerHold {
  name: string
  lease: number
}

/** Writes, by kind. */
export interface Writes {
  set: { takes: Omit<SetMutation, "type">; gives: KvSetResult }
  commit: {
    takes: {
      checks: readonly KvCheck[]
      mutations: readonly Mutation[]
      /** One that only checks issues no versionstamp. */
      stamping: "always" | "never"
      /** The name of the list of mutations in errors, and the number of the first one. */
      argument: string
      first: number
    }
    gives: KvCommitResult | KvCommitError
  }
  delete: { takes: { mutations: readonly DeleteMutation[] }; gives: KvDeleteResult }
  touch: { takes: { key: KvKey; expiresIn: unknown }; gives: { ok: boolean } }
  enqueue: { takes: { mutation: EnqueueMutation }; gives: { ok: true; id: string } }
  /**
   * Settles attempts and claims messages in one commit, also while the transport is being closed.
   */
  queueClaim: {
    takes: { queue: string; settled: readonly Settlement[]; claim: number; lockMs: number }
    gives: { messages: ClaimedMessage[]; more: boolean; dueMs: number | null }
  }
  /** Rejects with `CONFLICT` if the lease is lost. */
  queueSettle: { takes: Settlement; gives: undefined }
  /** The id of the new message; `null` if there is no such dead letter. */
  requeueDeadLetter: { takes: { id: unknown }; gives: string | null }
  deleteDeadLetter: { takes: { id: unknown }; gives: { ok: boolean } }
  /** A step: `more` says that another one is needed. */
  purgeDeadLetters: { takes: { queue: unknown }; gives: { count: number; more: boolean } }
  /** A step: it goes on up to the number that the last one gave. */
  trimChanges: { takes: { seq: number }; gives: { count: number; more: boolean; upTo: number } }
  takeLock: {
    takes: { name: unknown; owner: unknown; duration: unknown }
    gives: { acquired: boolean; token: bigint; expiresAt: number }
  }
  releaseLock: { takes: { name: string; token: bigint }; gives: { ok: boolean } }
  /** Takes or renews a lease; 0: none yet. A loop holds it until it releases it. Until when another does. */
  takeConsumer: {
    takes: ConsumerHold & { prefix: KvKey | undefined; leaseMs: number; isLoop: boolean }
    gives: { lease: number; position: number; prefix: KvKey } | { lease: null; heldUntilMs: number }
  }
  commitConsumer: { takes: ConsumerHold & { leaseMs: number; seq: number }; gives: undefined }
  releaseConsumer: { takes: ConsumerHold; gives: undefined }
  deleteConsumer: { takes: { name: string }; gives: { ok: boolean } }
  createSearchIndex: { takes: { prefix: unknown; fields: unknown; tokenize: unknown }; gives: undefined }
  createOrderedIndex: { takes: { prefix: unknown; on: unknown; unique: boolean }; gives: undefined }
  removeIndexes: { takes: { prefix: unknown; name: unknown }; gives: { count: number } }
}

/** A waiter for notices: a notice says that it is worth looking, never that there is something. */
export interface Waiter {
  notice(): void
}

/** Subscriptions to events, by kind. */
export interface Subscriptions {
  /** Messages of a queue: of several listeners one is called. */
  queue: { takes: { queue: string }; calls: QueueWorker; gives: QueueSubscription }
  /** The lease of a consumer that another reader holds: of several who wait one is called. */
  lease: { takes: { name: string }; calls: Waiter; gives: LeaseSubscription }
  /** The store's clock. */
  time: { calls: Waiter; gives: TimeSubscription }
}

/** A listener, as the subscription of its queue sees it. */
export interface QueueWorker {
  /** Slots for messages. */
  readonly free: number
  /** Claims if the queue has something to do. In the end it is idle, claims, or wakes the next. */
  look(): void
}

export interface QueueSubscription {
  /** There is more to do than this one has slots for. */
  wakeNext(): void
  /** When there is something to do next. */
  wakeAt(dueMs: number): void
  /** It has slots and nothing to do. */
  onIdle(): void
  /** It begins to claim, and sees whatever there was a call for. */
  onClaim(): void
  /** It claims nothing any more; what it was called for is another's. */
  stop(): void
  unsubscribe(): void
}

export interface LeaseSubscription {
  /** A look has found until when the lease is held. */
  wakeAt(untilMs: number): void
  unsubscribe(): void
}

export interface TimeSubscription {
  /** Calls when `now()` has come to a time, once; of several the earliest counts. It may be early. */
  wakeAt(atMs: number): void
  unsubscribe(): void
}
