import type {
  Kv as Contract,
  KvAtomicStart,
  KvBackupOptions,
  KvBackupResult,
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
} from "../index.js"
import { Atomic } from "./atomic.js"
import { backup } from "./backup.js"
import { Bridge } from "./bridge.js"
import { changesOf } from "./changes.js"
import { Collection } from "./collection.js"
import { Consumer } from "./consumer.js"
import { describe, invalidArgument } from "./errors.js"
import { filterText } from "./filter.js"
import { count, list, paginate, selectorOf } from "./list.js"
import { listen } from "./listener.js"
import { load } from "./load.js"
import { locksOf } from "./lock.js"
import { infoOf, metricsOf } from "./metrics.js"
import { type NativeHandle, STAMP_IF_CHANGED } from "./native.js"
import { CommitUuid, type Outcome, resolve, writeKey } from "./operations.js"
import { checkConsistency, checkOptions, expiresIn, flag, settingsOf } from "./options.js"
import { COMMIT_VERSIONSTAMP, Now, UUIDV7 } from "./placeholders.js"
import { addMessage, DeadLetters, queueStats } from "./queue.js"
import { Receipts } from "./receipts.js"
import { createIndex, explain, listIndexes, removeIndex, SearchIterator } from "./search.js"
import { trace, tracerOf } from "./tracing.js"
import { durationMs, isKeyList, keyList, transact } from "./transaction.js"
import { encodeValue } from "./value/index.js"
import { Watches, WatchIterator, watchWith } from "./watch.js"

/** What people hold: it checks the shape of arguments and says which call it is. See `index.d.ts`. */
export class Kv implements Contract {
  readonly changes: KvChanges
  readonly dlq: DeadLetters
  readonly lock: KvLocks
  readonly #bridge: Bridge
  readonly #watches: Watches
  readonly #receipts: Receipts
  readonly #location: string

  constructor(url?: string | URL, options?: KvOptions) {
    const settings = settingsOf(url, options)
    const tracer = tracerOf(options?.tracer)
    this.#bridge = new Bridge(settings)
    this.#location = settings.url === "file::memory:" ? ":memory:" : settings.url
    bridges.set(this, this.#bridge)
    this.#watches = new Watches(this.#bridge)
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
  ): Promise<KvEntryMaybe<T> | KvEntryMaybe<T>[]> {
    if (isKeyList(key)) return this.getMany(key, options)
    if (options === undefined) return this.#bridge.get(key)
    return attempt(() => {
      checkGetOptions(options)
      return this.#bridge.get(key)
    })
  }

  getMany<T>(keys: readonly KvKey[], options?: KvGetOptions): Promise<KvEntryMaybe<T>[]> {
    return attempt(() => {
      checkGetOptions(options)
      return this.#bridge.getMany(keyList(keys))
    })
  }

  list<T>(selector: KvKey | KvSelector, options?: KvListOptions): KvListIterator<KvEntry<T>> {
    return list(this.#bridge, selector, options)
  }

  paginate<T>(prefix: KvKey | KvSelector, options?: KvPaginateOptions): Promise<KvPage<T>> {
    return paginate(this.#bridge, prefix, options)
  }

  count(selector: KvKey | KvSelector, options?: KvCountOptions): Promise<number> {
    return attempt(() => count(this.#bridge, selector, options))
  }

  set(key: KvWriteKey, value: unknown, options?: KvExpireOptions): Promise<KvSetResult> {
    return attempt(() => {
      const ttl = expiresIn(options)
      const uuid = new CommitUuid()
      const { data, encoding } = resolve(encodeValue(value, "value"), uuid)
      const { parts, stamped } = writeKey(key, uuid)
      return this.#bridge.write(
        (handle, id) => handle.set(id, parts, stamped, data, encoding, ttl),
        setResult,
      )
    })
  }

  setMany(
    entries: Iterable<KvSetEntry> | AsyncIterable<KvSetEntry>,
    options?: KvSetManyOptions,
  ): Promise<{ count: number }> {
    return load(this.#bridge, entries, options)
  }

  delete(
    target: KvKey | readonly KvKey[] | KvSelector,
    options: KvDeleteOptions = {},
  ): Promise<KvDeleteResult> {
    return attempt(() => {
      checkOptions(options, ["exact", "where"])
      const remove = removal(target, options)
      const build = (handle: NativeHandle, id: number) => {
        handle.begin()
        remove(handle)
        handle.submit(id, STAMP_IF_CHANGED)
      }
      return this.#bridge.write(build, deleteResult)
    })
  }

  touch(key: KvKey, options: KvExpireOptions): Promise<{ ok: boolean }> {
    return attempt(() => {
      const ttl = expiresIn(options)
      const build = (handle: NativeHandle, id: number) => {
        handle.begin()
        handle.touch(key, ttl)
        handle.submit(id, STAMP_IF_CHANGED)
      }
      return this.#bridge.write(build, (outcome: Outcome) => ({ ok: repliesOf(outcome)[0] === true }))
    })
  }

  search<T>(prefix: KvKey, query: string, options?: KvSearchOptions): KvSearchIterator<T> {
    return new SearchIterator(this.#bridge, prefix, query, options)
  }

  createIndex(prefix: KvKey, options: KvIndexOptions): Promise<void> {
    return attempt(() => createIndex(this.#bridge, prefix, options))
  }

  listIndexes(): Promise<KvIndex[]> {
    return listIndexes(this.#bridge)
  }

  removeIndex(prefix: KvKey, name?: string): Promise<{ ok: boolean }> {
    return removeIndex(this.#bridge, prefix, name)
  }

  explain(selector: KvKey | KvSelector, where: KvWhere): Promise<KvExplanation> {
    return attempt(() => explain(this.#bridge, selector, where))
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
    options: KvPatchOptions = {},
  ): Promise<KvCommitResult | KvCommitError> {
    return attempt(() => {
      checkOptions(options, ["versionstamp", "expiresIn", "expireIn"])
      const { versionstamp, ...expire } = options
      const atomic = new Atomic(this.#bridge).patch(key, mergePatch, expire)
      return (versionstamp === undefined ? atomic : atomic.check({ key, versionstamp })).commit()
    })
  }

  collection<T>(prefix: KvKey): KvCollection<T>
  collection<Input, Output>(prefix: KvKey, schema: KvSchema<Input, Output>): KvCollection<Input, Output>
  collection(prefix: KvKey, schema?: KvSchema): KvCollection {
    return new Collection(this, prefix, schema)
  }

  atomic(): KvAtomicStart {
    return new Atomic(this.#bridge) as unknown as KvAtomicStart
  }

  transaction<R>(
    fn: (tx: KvTransaction) => R | Promise<R>,
    options?: KvTransactionOptions,
  ): Promise<KvTransactionResult<R>> {
    return transact(this.#bridge, fn, options)
  }

  watch<T>(target: KvWatchTarget, callback: KvWatchCallback<T>, options?: KvWatchOptions): KvSubscription
  watch<T>(target: KvWatchTarget, options?: KvWatchOptions): KvWatchIterator<T>
  watch<T>(
    target: KvWatchTarget,
    second?: KvWatchCallback<T> | KvWatchOptions,
    options?: KvWatchOptions,
  ): KvSubscription | KvWatchIterator<T> {
    if (typeof second === "function") return watchWith(this.#watches, target, second, options)
    if (options !== undefined) throw invalidArgument(`callback: must be a function, got ${describe(second)}`)
    return new WatchIterator(this.#watches.begin(target, second))
  }

  consumer<T>(name: string, options?: KvConsumerOptions): KvConsumer<T> {
    return new Consumer(this.#bridge, name, options)
  }

  enqueue(value: unknown, options?: KvEnqueueOptions): Promise<{ ok: true; id: string }> {
    return attempt(() => addMessage(this.#bridge, value, options))
  }

  listenQueue<T>(handler: (message: KvMessage<T>) => unknown, options?: KvListenOptions): KvSubscription {
    return listen(this.#bridge, this.#receipts, handler, options)
  }

  ackMessage(id: string): Promise<void> {
    return this.#receipts.ack(id)
  }

  nackMessage(id: string, options?: { error?: unknown }): Promise<void> {
    return this.#receipts.nack(id, options)
  }

  queueStats(queue?: string): Promise<KvQueueStats> {
    return queueStats(this.#bridge, queue)
  }

  commitVersionstamp(): KvVersionstampPlaceholder {
    return COMMIT_VERSIONSTAMP
  }

  uuidv7(): KvUuidPlaceholder {
    return UUIDV7
  }

  now(): KvNow {
    return Now.of(() => this.#bridge.handle.now(), durationMs)
  }

  backup(path: string | URL, options?: KvBackupOptions): Promise<KvBackupResult> {
    return backup(this.#bridge, path, options)
  }

  metrics(format?: "json"): Promise<KvMetrics>
  metrics(format: "prometheus"): Promise<string>
  metrics(format?: "json" | "prometheus"): Promise<KvMetrics | string> {
    return metricsOf(this.#bridge, format)
  }

  info(): Promise<KvInfo> {
    return infoOf(this.#bridge, this.#location)
  }

  close(): Promise<void> {
    return this.#bridge.close()
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
    return Promise.reject(error)
  }
}

function checkGetOptions(options: KvGetOptions | undefined): void {
  checkOptions(options, ["consistency"])
  checkConsistency(options?.consistency)
}

function removal(
  target: KvKey | readonly KvKey[] | KvSelector,
  { exact, where }: KvDeleteOptions,
): (handle: NativeHandle) => void {
  const isExact = flag(exact, "exact")
  const filter = filterText(where)
  if (!Array.isArray(target)) {
    if (exact !== undefined) throw invalidArgument("exact: it goes with a key, not with a selector")
    const { prefix, start, end } = selectorOf(target)
    return (handle) => handle.removeRange(prefix, start, end, filter)
  }
  if (target.length === 0)
    throw invalidArgument("target: it is empty; give a key, or { prefix: [] } to delete everything")
  const keys = isKeyList(target) ? keyList(target) : [target as KvKey]
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
