import type {
  Kv as Contract,
  KvAtomic,
  KvBackupOptions,
  KvBackupResult,
  KvChain,
  KvChanges,
  KvCollection,
  KvCommitError,
  KvCommitResult,
  KvConsumer,
  KvConsumerOptions,
  KvCountOptions,
  KvDeleteOptions,
  KvDeleteResult,
  KvEnqueueOptions,
  KvEntry,
  KvEntryMaybe,
  KvExpireOptions,
  KvExplanation,
  KvGetOptions,
  KvIndex,
  KvIndexOptions,
  KvInfo,
  KvKey,
  KvListener,
  KvListenOptions,
  KvListIterator,
  KvListOptions,
  KvLocks,
  KvMessage,
  KvMetrics,
  KvNow,
  KvOptions,
  KvPage,
  KvPaginateOptions,
  KvPatchOptions,
  KvQueueStats,
  KvSchema,
  KvSearchIterator,
  KvSearchOptions,
  KvSelector,
  KvSetEntry,
  KvSetManyOptions,
  KvSetResult,
  KvSubscription,
  KvTransaction,
  KvTransactionOptions,
  KvTransactionResult,
  KvUuidPlaceholder,
  KvVersionstampPlaceholder,
  KvWatchCallback,
  KvWatchIterator,
  KvWatchOptions,
  KvWatchTarget,
  KvWhere,
  KvWriteKey,
} from "../../index.js"
import { type NativeHandle, STAMP_IF_CHANGED } from "../native/addon.js"
import { Bridge } from "../native/bridge.js"
import { describe, invalidArgument } from "../shared/errors.js"
import { copyKey, copyKeys, isKeyList, selectorOf } from "../shared/keys.js"
import {
  checkConsistency,
  EXPIRE,
  expiresIn,
  flag,
  refuseExtra,
  refuseOptions,
  settingsOf,
  takeOptions,
} from "../shared/options.js"
import { COMMIT_VERSIONSTAMP, Now, UUIDV7 } from "../shared/placeholders.js"
import { beneath, nearOrigin, originOf } from "../shared/stacks.js"
import { encodeValue } from "../value/index.js"
import { isList } from "../value/kinds.js"
import { backup } from "./backup.js"
import { changesOf } from "./changes/changes.js"
import { Consumer } from "./changes/consumer.js"
import { beginWatch, WatchIterator, watchWith } from "./changes/watch.js"
import { Collection } from "./collection.js"
import { Atomic } from "./commit/atomic.js"
import { Turns } from "./commit/conflict-queue.js"
import { CommitUuid, type Outcome, resolve, writeKey } from "./commit/mutations.js"
import { load } from "./commit/set-many.js"
import { durationMs, transact } from "./commit/transaction.js"
import { locksOf } from "./lock.js"
import { infoOf, metricsOf } from "./metrics.js"
import { filterText } from "./query/filter.js"
import { count, list, paginate } from "./query/list.js"
import { createIndex, explain, listIndexes, removeIndex, SearchIterator } from "./query/search.js"
import { listen } from "./queue/listener.js"
import { Receipts } from "./queue/message-leases.js"
import { addMessage, DeadLetters, queueStats } from "./queue/queue.js"
import { trace, tracerOf } from "./tracing.js"

/** What people hold: it checks the shape of arguments and says which call it is. See `index.d.ts`. */
export class Kv implements Contract {
  readonly changes: KvChanges
  readonly dlq: DeadLetters
  readonly lock: KvLocks
  readonly #bridge: Bridge
  readonly #receipts: Receipts
  readonly #turns = new Turns()
  readonly #location: string

  constructor(url?: string | URL, options?: KvOptions, ...extra: unknown[]) {
    refuseExtra(extra)
    const settings = settingsOf(url, options)
    const tracer = tracerOf(settings.tracer)
    this.#bridge = new Bridge(settings)
    this.#location = settings.url === "file::memory:" ? ":memory:" : settings.url
    bridges.set(this, this.#bridge)
    this.#receipts = new Receipts(this.#bridge)
    this.changes = changesOf(this.#bridge)
    this.dlq = new DeadLetters(this.#bridge)
    this.lock = locksOf(this.#bridge)
    if (tracer !== undefined) trace(this, tracer)
  }

  get closed(): boolean {
    return this.#bridge.closed
  }

  get<T>(key: KvKey, options?: KvGetOptions): Promise<KvEntryMaybe<T>>
  get<T>(keys: readonly KvKey[], options?: KvGetOptions): Promise<KvEntryMaybe<T>[]>
  get<T>(
    key: KvKey | readonly KvKey[],
    options?: KvGetOptions,
    ...extra: unknown[]
  ): Promise<KvEntryMaybe<T> | KvEntryMaybe<T>[]> {
    if (isKeyList(key)) return this.getMany(key, options, ...extra)
    if (options === undefined && extra.length === 0) return this.#bridge.get(key)
    return attempt(() => {
      refuseExtra(extra)
      checkGetOptions(options)
      return this.#bridge.get(key)
    })
  }

  getMany<T>(
    keys: readonly KvKey[],
    options?: KvGetOptions,
    ...extra: unknown[]
  ): Promise<KvEntryMaybe<T>[]> {
    return attempt(() => {
      refuseExtra(extra)
      checkGetOptions(options)
      return this.#bridge.getMany(keys)
    })
  }

  list<T>(
    selector: KvKey | KvSelector,
    options?: KvListOptions,
    ...extra: unknown[]
  ): KvListIterator<KvEntry<T>> {
    refuseExtra(extra)
    return list(this.#bridge, selector, options)
  }

  paginate<T>(
    prefix: KvKey | KvSelector,
    options?: KvPaginateOptions,
    ...extra: unknown[]
  ): Promise<KvPage<T>> {
    return attempt(() => {
      refuseExtra(extra)
      return paginate(this.#bridge, prefix, options)
    })
  }

  count(selector: KvKey | KvSelector, options?: KvCountOptions, ...extra: unknown[]): Promise<number> {
    return attempt(() => {
      refuseExtra(extra)
      return count(this.#bridge, selector, options)
    })
  }

  set(key: KvWriteKey, value: unknown, options?: KvExpireOptions, ...extra: unknown[]): Promise<KvSetResult> {
    return attempt(() => {
      refuseExtra(extra)
      const ttl = expiresIn(options)
      const uuid = new CommitUuid()
      const { data, encoding } = resolve(encodeValue(value, "value"), uuid)
      const { parts, stamped } = writeKey(copyKey(key), uuid)
      return this.#bridge.write(
        (handle, id) => handle.set(id, parts, stamped, data, encoding, ttl),
        setResult,
      )
    })
  }

  setMany(
    entries: Iterable<KvSetEntry> | AsyncIterable<KvSetEntry>,
    options?: KvSetManyOptions,
    ...extra: unknown[]
  ): Promise<{ count: number }> {
    return attempt(() => {
      refuseExtra(extra)
      return load(this.#bridge, entries, options)
    })
  }

  delete(
    target: KvKey | readonly KvKey[] | KvSelector,
    options?: KvDeleteOptions,
    ...extra: unknown[]
  ): Promise<KvDeleteResult> {
    return attempt(() => {
      refuseExtra(extra)
      const remove = removal(target, takeOptions<KvDeleteOptions>(options, ["exact", "where"]))
      const build = (handle: NativeHandle, id: number) => {
        handle.begin()
        remove(handle)
        handle.submit(id, STAMP_IF_CHANGED)
      }
      return this.#bridge.write(build, deleteResult)
    })
  }

  touch(key: KvKey, options: KvExpireOptions, ...extra: unknown[]): Promise<{ ok: boolean }> {
    return attempt(() => {
      refuseExtra(extra)
      const ttl = expiresIn(options)
      const build = (handle: NativeHandle, id: number) => {
        handle.begin()
        handle.touch(copyKey(key), ttl)
        handle.submit(id, STAMP_IF_CHANGED)
      }
      return this.#bridge.write(build, (outcome: Outcome) => ({ ok: repliesOf(outcome)[0] === true }))
    })
  }

  search<T>(
    prefix: KvKey,
    query: string,
    options?: KvSearchOptions,
    ...extra: unknown[]
  ): KvSearchIterator<T> {
    refuseExtra(extra)
    return new SearchIterator(this.#bridge, prefix, query, options)
  }

  createIndex(prefix: KvKey, options: KvIndexOptions, ...extra: unknown[]): Promise<void> {
    return attempt(() => {
      refuseExtra(extra)
      return createIndex(this.#bridge, prefix, options)
    })
  }

  listIndexes(...extra: unknown[]): Promise<KvIndex[]> {
    return attempt(() => {
      refuseExtra(extra)
      return listIndexes(this.#bridge)
    })
  }

  removeIndex(prefix: KvKey, name?: string, ...extra: unknown[]): Promise<{ ok: boolean }> {
    return attempt(() => {
      refuseExtra(extra)
      return removeIndex(this.#bridge, prefix, name)
    })
  }

  explain(selector: KvKey | KvSelector, where: KvWhere, ...extra: unknown[]): Promise<KvExplanation> {
    return attempt(() => {
      refuseExtra(extra)
      return explain(this.#bridge, selector, where)
    })
  }

  patch(
    key: KvKey,
    mergePatch: unknown,
    options?: KvExpireOptions & { versionstamp?: undefined },
  ): Promise<KvCommitResult<[undefined]>>
  patch(
    key: KvKey,
    mergePatch: unknown,
    options?: KvPatchOptions,
  ): Promise<KvCommitResult<[undefined]> | KvCommitError>
  patch(
    key: KvKey,
    mergePatch: unknown,
    options?: KvPatchOptions,
    ...extra: unknown[]
  ): Promise<KvCommitResult | KvCommitError> {
    return attempt(() => {
      refuseExtra(extra)
      const given = takeOptions<KvPatchOptions>(options, ["versionstamp", ...EXPIRE])
      const { versionstamp, expiresIn, expireIn } = given
      const atomic = new Atomic(this.#bridge).patch(key, mergePatch, { expiresIn, expireIn })
      return (versionstamp === undefined ? atomic : atomic.check({ key, versionstamp })).commit()
    })
  }

  collection<T>(prefix: KvKey): KvCollection<T>
  collection<Input, Output>(prefix: KvKey, schema: KvSchema<Input, Output>): KvCollection<Input, Output>
  collection(prefix: KvKey, schema?: KvSchema, ...extra: unknown[]): KvCollection {
    refuseExtra(extra)
    return new Collection(this, prefix, schema)
  }

  atomic(...extra: unknown[]): KvAtomic & KvChain<object> {
    refuseExtra(extra)
    return new Atomic(this.#bridge, originOf(true) ?? nearOrigin()) as unknown as KvAtomic & KvChain<object>
  }

  transaction<R>(
    fn: (tx: KvTransaction) => R | Promise<R>,
    options?: KvTransactionOptions,
    ...extra: unknown[]
  ): Promise<KvTransactionResult<R>> {
    return attempt(() => {
      refuseExtra(extra)
      return transact(this.#bridge, this.#turns, fn, options)
    })
  }

  watch<T>(target: KvWatchTarget, callback: KvWatchCallback<T>, options?: KvWatchOptions): KvSubscription
  watch<T>(target: KvWatchTarget, options?: KvWatchOptions): KvWatchIterator<T>
  watch<T>(
    target: KvWatchTarget,
    second?: KvWatchCallback<T> | KvWatchOptions,
    options?: KvWatchOptions,
    ...extra: unknown[]
  ): KvSubscription | KvWatchIterator<T> {
    refuseExtra(extra)
    if (typeof second === "function") return watchWith(this.#bridge, target, second, options)
    if (options !== undefined) throw invalidArgument(`callback: must be a function, got ${describe(second)}`)
    return new WatchIterator(beginWatch(this.#bridge, target, second))
  }

  consumer<T>(name: string, options?: KvConsumerOptions, ...extra: unknown[]): KvConsumer<T> {
    refuseExtra(extra)
    return new Consumer(this.#bridge, name, options)
  }

  enqueue(
    value: unknown,
    options?: KvEnqueueOptions,
    ...extra: unknown[]
  ): Promise<{ ok: true; id: string }> {
    return attempt(() => {
      refuseExtra(extra)
      return addMessage(this.#bridge, value, options)
    })
  }

  listenQueue<T>(
    handler: (message: KvMessage<T>) => unknown,
    options?: KvListenOptions,
    ...extra: unknown[]
  ): KvListener {
    refuseExtra(extra)
    return listen(this.#bridge, this.#receipts, handler, options)
  }

  ackMessage(id: string, ...extra: unknown[]): Promise<void> {
    return this.#receipts.ack(id, extra)
  }

  nackMessage(id: string, options?: { error?: unknown }, ...extra: unknown[]): Promise<void> {
    return this.#receipts.nack(id, options, extra)
  }

  queueStats(queue?: string, ...extra: unknown[]): Promise<KvQueueStats> {
    return queueStats(this.#bridge, queue, extra)
  }

  commitVersionstamp(...extra: unknown[]): KvVersionstampPlaceholder {
    refuseExtra(extra)
    return COMMIT_VERSIONSTAMP
  }

  uuidv7(...extra: unknown[]): KvUuidPlaceholder {
    refuseExtra(extra)
    return UUIDV7
  }

  now(...extra: unknown[]): KvNow {
    refuseExtra(extra)
    return Now.of(() => this.#bridge.handle.now(), durationMs)
  }

  backup(path: string | URL, options?: KvBackupOptions, ...extra: unknown[]): Promise<KvBackupResult> {
    return attempt(() => {
      refuseExtra(extra)
      return backup(this.#bridge, path, options)
    })
  }

  metrics(format?: "json"): Promise<KvMetrics>
  metrics(format: "prometheus"): Promise<string>
  metrics(format?: "json" | "prometheus", ...extra: unknown[]): Promise<KvMetrics | string> {
    return metricsOf(this.#bridge, format, extra)
  }

  info(...extra: unknown[]): Promise<KvInfo> {
    return infoOf(this.#bridge, this.#location, extra)
  }

  close(...extra: unknown[]): Promise<void> {
    return attempt(() => {
      refuseOptions(extra)
      this.#receipts.giveBack()
      return this.#bridge.close()
    })
  }

  [Symbol.dispose](): void {
    void this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** The way from a `Kv` to its bridge, for tests alone (`testing.ts`). */
export const bridges = new WeakMap<Contract, Bridge>()

/** A call whose bad arguments reject, as all its other errors do. */
function attempt<R>(call: () => Promise<R>): Promise<R> {
  try {
    return call()
  } catch (error) {
    return Promise.reject(beneath(error, attempt))
  }
}

function checkGetOptions(options: KvGetOptions | undefined): void {
  checkConsistency(takeOptions<KvGetOptions>(options, ["consistency"]).consistency)
}

function removal(
  target: KvKey | readonly KvKey[] | KvSelector,
  { exact, where }: KvDeleteOptions,
): (handle: NativeHandle) => void {
  const isExact = flag(exact, "exact")
  const filter = filterText(where)
  if (!isList(target)) {
    const { prefix, start, end } = selectorOf(target)
    if (exact !== undefined) throw invalidArgument("exact: it goes with a key, not with a selector")
    return (handle) => handle.removeRange(prefix, start, end, filter)
  }
  if (target.length === 0)
    throw invalidArgument("target: it is empty; give a key, or { prefix: [] } to delete everything")
  const keys = isKeyList(target) ? copyKeys(target) : [copyKey(target) as KvKey]
  return (handle) => {
    for (const key of keys)
      if (isExact && filter === undefined) handle.remove(key)
      else handle.removeTree(key, isExact, filter)
  }
}

function repliesOf(outcome: Outcome): readonly unknown[] {
  return Array.isArray(outcome) ? outcome[1] : []
}

function setResult(outcome: Outcome): KvSetResult {
  return { ok: true, versionstamp: (outcome as [string, never[]])[0] }
}

function deleteResult(outcome: Outcome): KvDeleteResult {
  const counts = repliesOf(outcome) as number[]
  return { success: true, deletedCount: counts.reduce((sum, one) => sum + one, 0) }
}
