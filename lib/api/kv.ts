/**
 * The class that people hold. Longer than 400 lines: it has a method for each call of the contract.
 */

import type {
  Kv as Contract,
  KvAtomic,
  KvBackupOptions,
  KvBackupResult,
  KvChain,
  KvChanges,
  KvChildren,
  KvChildrenOptions,
  KvCollection,
  KvCommitError,
  KvCommitResult,
  KvConsistency,
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
  KvGetManyOptions,
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
import { openTransport } from "../open.js"
import { describe, invalidArgument, KvError } from "../shared/errors.js"
import { isKeyList } from "../shared/keys.js"
import {
  consistencyOf,
  flag,
  refuseExtra,
  refuseOptions,
  settingsOf,
  takeOptions,
} from "../shared/options.js"
import { COMMIT_VERSIONSTAMP, createNow, UUIDV7 } from "../shared/placeholders.js"
import { attempt, fromCaller, nearOrigin, originOf } from "../shared/stacks.js"
import type { Transport } from "../transport.js"
import { backup } from "./backup.js"
import { changesOf } from "./changes/changes.js"
import { Consumer } from "./changes/consumer.js"
import { beginWatch, WatchIterator, watchWith } from "./changes/watch.js"
import { Collection } from "./collection.js"
import { Atomic } from "./commit/atomic.js"
import { ConflictQueue } from "./commit/conflict-queue.js"
import { deleteAll, patch, set, touch } from "./commit/direct-writes.js"
import { setMany } from "./commit/set-many.js"
import { transact } from "./commit/transaction.js"
import { locksOf } from "./lock.js"
import { infoOf, metricsOf } from "./metrics.js"
import { children } from "./query/children.js"
import { createIndex, explain, listIndexes, removeIndex } from "./query/indexes.js"
import { count, list, paginate } from "./query/list.js"
import { SearchIterator } from "./query/search.js"
import { listen } from "./queue/listener.js"
import { MessageLeases } from "./queue/message-leases.js"
import { addMessage, DeadLetters, queueStats } from "./queue/queue.js"
import { trace, tracerOf } from "./tracing.js"

/** The public class: it checks the shape of arguments and forwards each call. See `index.d.ts`. */
export class Kv implements Contract {
  readonly changes: KvChanges
  readonly dlq: DeadLetters
  readonly lock: KvLocks
  readonly #transport: Transport
  readonly #leases: MessageLeases
  readonly #conflicts = new ConflictQueue()
  readonly #location: string

  constructor(url?: string | URL, options?: KvOptions, ...extra: unknown[]) {
    refuseExtra(extra)
    const settings = settingsOf(url, options)
    const tracer = tracerOf(settings.tracer)
    this.#transport = openTransport(settings)
    this.#location = settings.url === "file::memory:" ? ":memory:" : settings.url
    transports.set(this, this.#transport)
    this.#leases = new MessageLeases(this.#transport)
    this.changes = changesOf(this.#transport)
    this.dlq = new DeadLetters(this.#transport)
    this.lock = locksOf(this.#transport)
    if (tracer !== undefined) trace(this, tracer)
  }

  get closed(): boolean {
    return this.#transport.closed
  }

  get<T>(key: KvKey, options?: KvGetOptions): Promise<KvEntryMaybe<T>>
  get<T>(keys: readonly KvKey[], options?: KvGetOptions): Promise<KvEntryMaybe<T>[]>
  get<T>(
    key: KvKey | readonly KvKey[],
    options?: KvGetOptions,
    ...extra: unknown[]
  ): Promise<KvEntryMaybe<T> | KvEntryMaybe<T>[]> {
    if (isKeyList(key)) return this.getMany(key, options, ...extra)
    if (options === undefined && extra.length === 0) return this.#transport.get(key, "strong")
    return attempt(() => {
      refuseExtra(extra)
      return this.#transport.get(key, consistencyIn(options))
    })
  }

  getMany<T>(
    keys: readonly KvKey[],
    options?: KvGetOptions,
    ...extra: unknown[]
  ): Promise<KvEntryMaybe<T>[]> {
    return attempt(() => {
      refuseExtra(extra)
      const { consistency, keysOnly } = takeOptions<KvGetManyOptions>(options, ["consistency", "keysOnly"])
      return this.#transport.getMany(keys, consistencyOf(consistency), flag(keysOnly, "keysOnly"))
    })
  }

  getSync<T>(key: KvKey, ...extra: unknown[]): KvEntryMaybe<T> {
    if (extra.length > 0) refuseExtra(extra)
    if (!this.#transport.capabilities.syncReads) throw noSyncReads("getSync")
    return this.#transport.getSync(key)
  }

  getManySync<T>(
    keys: readonly KvKey[],
    options?: { keysOnly?: boolean | undefined },
    ...extra: unknown[]
  ): KvEntryMaybe<T>[] {
    refuseExtra(extra)
    const { keysOnly } = takeOptions<{ keysOnly?: boolean }>(options, ["keysOnly"])
    if (!this.#transport.capabilities.syncReads) throw noSyncReads("getManySync")
    return this.#transport.getManySync(keys, flag(keysOnly, "keysOnly"))
  }

  list<T>(
    selector: KvKey | KvSelector,
    options?: KvListOptions,
    ...extra: unknown[]
  ): KvListIterator<KvEntry<T>> {
    refuseExtra(extra)
    return list(this.#transport, selector, options)
  }

  paginate<T>(
    prefix: KvKey | KvSelector,
    options?: KvPaginateOptions,
    ...extra: unknown[]
  ): Promise<KvPage<T>> {
    return attempt(() => {
      refuseExtra(extra)
      return paginate(this.#transport, prefix, options)
    })
  }

  children(prefix: KvKey, options?: KvChildrenOptions, ...extra: unknown[]): Promise<KvChildren> {
    return attempt(() => {
      refuseExtra(extra)
      return children(this.#transport, prefix, options)
    })
  }

  count(selector: KvKey | KvSelector, options?: KvCountOptions, ...extra: unknown[]): Promise<number> {
    return attempt(() => {
      refuseExtra(extra)
      return count(this.#transport, selector, options)
    })
  }

  set(key: KvWriteKey, value: unknown, options?: KvExpireOptions, ...extra: unknown[]): Promise<KvSetResult> {
    return attempt(() => {
      refuseExtra(extra)
      return set(this.#transport, key, value, options)
    })
  }

  setMany(
    entries: Iterable<KvSetEntry> | AsyncIterable<KvSetEntry>,
    options?: KvSetManyOptions,
    ...extra: unknown[]
  ): Promise<{ count: number }> {
    return attempt(() => {
      refuseExtra(extra)
      return fromCaller(setMany(this.#transport, entries, options))
    })
  }

  delete(
    target: KvKey | readonly KvKey[] | KvSelector,
    options?: KvDeleteOptions,
    ...extra: unknown[]
  ): Promise<KvDeleteResult> {
    return attempt(() => {
      refuseExtra(extra)
      return deleteAll(this.#transport, target, options)
    })
  }

  touch(key: KvKey, options: KvExpireOptions, ...extra: unknown[]): Promise<{ ok: boolean }> {
    return attempt(() => {
      refuseExtra(extra)
      return touch(this.#transport, key, options)
    })
  }

  search<T>(
    prefix: KvKey,
    query: string,
    options?: KvSearchOptions,
    ...extra: unknown[]
  ): KvSearchIterator<T> {
    refuseExtra(extra)
    return new SearchIterator(this.#transport, prefix, query, options)
  }

  createIndex(prefix: KvKey, options: KvIndexOptions, ...extra: unknown[]): Promise<void> {
    return attempt(() => {
      refuseExtra(extra)
      return createIndex(this.#transport, prefix, options)
    })
  }

  listIndexes(...extra: unknown[]): Promise<KvIndex[]> {
    return attempt(() => {
      refuseExtra(extra)
      return listIndexes(this.#transport)
    })
  }

  removeIndex(prefix: KvKey, name?: string, ...extra: unknown[]): Promise<{ ok: boolean }> {
    return attempt(() => {
      refuseExtra(extra)
      return removeIndex(this.#transport, prefix, name)
    })
  }

  explain(selector: KvKey | KvSelector, where: KvWhere, ...extra: unknown[]): Promise<KvExplanation> {
    return attempt(() => {
      refuseExtra(extra)
      return explain(this.#transport, selector, where)
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
      return patch(this.#transport, key, mergePatch, options)
    })
  }

  collection<T>(prefix: KvKey): KvCollection<T>
  collection<Input, Output>(prefix: KvKey, schema: KvSchema<Input, Output>): KvCollection<Input, Output>
  collection(prefix: KvKey, schema?: KvSchema, ...extra: unknown[]): KvCollection {
    refuseExtra(extra)
    return new Collection(this, this.#transport.core, prefix, schema)
  }

  atomic(...extra: unknown[]): KvAtomic & KvChain<object> {
    refuseExtra(extra)
    return new Atomic(this.#transport, originOf(true) ?? nearOrigin()) as unknown as KvAtomic &
      KvChain<object>
  }

  transaction<R>(
    fn: (tx: KvTransaction) => R | Promise<R>,
    options?: KvTransactionOptions,
    ...extra: unknown[]
  ): Promise<KvTransactionResult<R>> {
    return attempt(() => {
      refuseExtra(extra)
      return transact(this.#transport, this.#conflicts, fn, options)
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
    if (typeof second === "function") return watchWith(this.#transport, target, second, options)
    if (options !== undefined) throw invalidArgument(`callback: must be a function, got ${describe(second)}`)
    return new WatchIterator(beginWatch(this.#transport, target, second))
  }

  consumer<T>(name: string, options?: KvConsumerOptions, ...extra: unknown[]): KvConsumer<T> {
    refuseExtra(extra)
    return new Consumer(this.#transport, name, options)
  }

  enqueue(
    value: unknown,
    options?: KvEnqueueOptions,
    ...extra: unknown[]
  ): Promise<{ ok: true; id: string }> {
    return attempt(() => {
      refuseExtra(extra)
      return addMessage(this.#transport, value, options)
    })
  }

  listenQueue<T>(
    handler: (message: KvMessage<T>) => unknown,
    options?: KvListenOptions,
    ...extra: unknown[]
  ): KvListener {
    refuseExtra(extra)
    return listen(this.#transport, this.#leases, handler, options)
  }

  ackMessage(id: string, ...extra: unknown[]): Promise<void> {
    return this.#leases.ack(id, extra)
  }

  nackMessage(id: string, options?: { error?: unknown }, ...extra: unknown[]): Promise<void> {
    return this.#leases.nack(id, options, extra)
  }

  queueStats(queue?: string, ...extra: unknown[]): Promise<KvQueueStats> {
    return queueStats(this.#transport, queue, extra)
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
    return createNow(() => this.#transport.now(), this.#transport.core.durationMs)
  }

  backup(path: string | URL, options?: KvBackupOptions, ...extra: unknown[]): Promise<KvBackupResult> {
    return attempt(() => {
      refuseExtra(extra)
      return fromCaller(backup(this.#transport, path, options))
    })
  }

  metrics(format?: "json"): Promise<KvMetrics>
  metrics(format: "prometheus"): Promise<string>
  metrics(format?: "json" | "prometheus", ...extra: unknown[]): Promise<KvMetrics | string> {
    return metricsOf(this.#transport, format, extra)
  }

  info(...extra: unknown[]): Promise<KvInfo> {
    return infoOf(this.#transport, this.#location, extra)
  }

  close(...extra: unknown[]): Promise<void> {
    return attempt(() => {
      refuseOptions(extra)
      this.#leases.giveBack()
      return this.#transport.close()
    })
  }

  [Symbol.dispose](): void {
    void this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** The way from a `Kv` to its transport, for tests alone (`testing.ts`). */
export const transports = new WeakMap<Contract, Transport>()

function noSyncReads(call: string): KvError {
  const message = `${call}: the store is not on this machine; await get or getMany instead`
  return new KvError("UNSUPPORTED", message)
}

function consistencyIn(options: KvGetOptions | undefined): KvConsistency {
  return consistencyOf(takeOptions<KvGetOptions>(options, ["consistency"]).consistency)
}
