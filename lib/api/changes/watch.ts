/** Watches: batches of changed entries, delivered to a callback or an iterator. */

import type {
  KvEntryMaybe,
  KvKey,
  KvSubscription,
  KvWatchBatch,
  KvWatchCallback,
  KvWatchIterator,
  KvWatchOptions,
} from "../../../index.js"
import { takeCallback, takeOptionalCallback } from "../../shared/callbacks.js"
import { describe, invalidArgument, KvError } from "../../shared/errors.js"
import { after } from "../../shared/host.js"
import { copyKey, isKeyList } from "../../shared/keys.js"
import { isList } from "../../shared/kinds.js"
import { MAX_BUFFER_KEYS } from "../../shared/limits.js"
import { flag, refuseOptions, takeOptions, wholeNumber } from "../../shared/options.js"
import { onAbort, type Signal, signalOf } from "../../shared/signal.js"
import { RETRY_MS, report, Subscription } from "../../shared/subscription.js"
import type { Readers, Request, Running, Transport, WatchReader } from "../../transport.js"

const OPTIONS: readonly (keyof KvWatchOptions)[] = [
  "exact",
  "emitInitial",
  "from",
  "bufferSize",
  "overflowStrategy",
  "onError",
  "signal",
]
const STRATEGIES = ["drop-oldest", "drop-newest"]

/** Begins a watch: later commits are reported. */
export function beginWatch(transport: Transport, target: unknown, given?: KvWatchOptions): Watch {
  const options = takeOptions<KvWatchOptions>(given, OPTIONS)
  const request = requestOf(target, options)
  const onError = takeOptionalCallback(options.onError, "onError")
  const signal = signalOf(options.signal)
  return new Watch(transport, transport.open(request), onError, signal)
}

type WatchRequest = Request<Readers, "watch">

function requestOf(target: unknown, options: KvWatchOptions): WatchRequest {
  const { from, bufferSize = null, overflowStrategy = "drop-oldest" } = options
  const [keys, reach] = targetOf(target, options.exact)
  const emitInitial =
    options.emitInitial === undefined ? from === undefined : flag(options.emitInitial, "emitInitial")
  if (emitInitial && from !== undefined)
    throw invalidArgument(
      "emitInitial: from is given too, which goes on where a watch stood; give one of them",
    )
  if (!STRATEGIES.includes(overflowStrategy))
    throw invalidArgument(
      `overflowStrategy: must be "drop-oldest" or "drop-newest", got ${describe(overflowStrategy)}`,
    )
  const bufferKeys =
    bufferSize === null ? undefined : wholeNumber(bufferSize, "bufferSize", 1, MAX_BUFFER_KEYS)
  const dropNewest = overflowStrategy === "drop-newest"
  return { kind: "watch", keys, reach, emitInitial, from, bufferKeys, dropNewest }
}

function targetOf(target: unknown, exact: unknown): [keys: readonly KvKey[], reach: WatchRequest["reach"]] {
  const isExact = flag(exact, "exact")
  if (isList(target)) {
    if (target.length === 0)
      throw invalidArgument("target: it is empty; give a key, or { prefix: [] } to watch everything")
    const keys = isKeyList(target) ? target : [target as KvKey]
    return [Array.from(keys, copyKey), isExact ? "exact" : "tree"]
  }
  if (typeof target !== "object" || target === null)
    throw invalidArgument(`target: must be a key, an array of keys or { prefix }, got ${describe(target)}`)
  const { prefix } = takeOptions<{ prefix?: KvKey }>(target, ["prefix"], "target")
  if (exact !== undefined) throw invalidArgument("exact: it goes with keys, not with a prefix")
  return [[copyKey(prefix) as KvKey], "under"]
}

/** One watch. */
export class Watch implements Running {
  readonly #transport: Transport
  readonly #reader: WatchReader
  #closed = false
  #endPause: (() => void) | undefined
  readonly #onError: KvWatchOptions["onError"]

  readonly #endSignal: () => void

  constructor(
    transport: Transport,
    reader: WatchReader,
    onError: KvWatchOptions["onError"],
    signal: Signal | undefined,
  ) {
    this.#onError = onError
    this.#transport = transport
    this.#reader = reader
    transport.attach(this)
    this.#endSignal = onAbort(signal, () => this.stop())
  }

  get closed(): boolean {
    return this.#closed
  }

  stop(): void {
    if (this.#closed) return
    this.#closed = true
    this.#endSignal()
    this.#reader.stop()
    this.#transport.detach(this)
    this.#endPause?.()
  }

  end(): void {
    this.stop()
  }

  /**
   * The next batch; `undefined` when it is stopped. A transient error is reported, and the read retried.
   */
  async next<T>(): Promise<KvWatchBatch<T> | undefined> {
    while (!this.#closed) {
      try {
        return await this.#reader.next<T>()
      } catch (error) {
        if (this.#closed) break
        if (!(error instanceof KvError && error.retryable)) throw error
        this.report("a watch failed", error)
        await this.#pause()
      }
    }
    return undefined
  }

  report(what: string, error: unknown): void {
    report(this.#onError, what, error)
  }

  /** `stop` ends it early. */
  async #pause(): Promise<void> {
    if (this.#closed) return
    await new Promise<void>((resolve) => {
      const cancel = after(RETRY_MS, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
    this.#endPause = undefined
  }
}

/** Calls `callback` with each batch. */
export function watchWith<T>(
  transport: Transport,
  target: unknown,
  callback: KvWatchCallback<T>,
  options?: KvWatchOptions,
): KvSubscription {
  const watch = beginWatch(transport, target, options)
  return new Subscription(watch, run(watch, takeCallback(callback, "callback")))
}

async function run<T>(watch: Watch, callback: KvWatchCallback<T>): Promise<void> {
  // The caller gets its handle before the first call.
  await undefined
  while (!watch.closed) {
    try {
      const batch = await watch.next<T>()
      if (batch === undefined) break
      const { entries, ...info } = batch
      await call(watch, callback, entries, info)
    } catch (error) {
      if (watch.closed) break
      watch.report("a watch failed", error)
      watch.stop()
    }
  }
}

async function call<T>(
  watch: Watch,
  callback: KvWatchCallback<T>,
  entries: KvEntryMaybe<T>[],
  info: Omit<KvWatchBatch, "entries">,
): Promise<void> {
  try {
    await callback(entries, info)
  } catch (error) {
    watch.report("the callback of a watch threw", error)
  }
}

/** The same as an async iterator. */
export class WatchIterator<T> implements KvWatchIterator<T> {
  readonly #watch: Watch
  #last: Promise<unknown> = Promise.resolve()

  constructor(watch: Watch) {
    this.#watch = watch
  }

  get closed(): boolean {
    return this.#watch.closed
  }

  stop(...extra: unknown[]): void {
    refuseOptions(extra)
    this.#watch.stop()
  }

  /** One after another: two calls never get the same batch. */
  next(): Promise<IteratorResult<KvWatchBatch<T>, undefined>> {
    const next = this.#last.then(() => this.#next())
    this.#last = next.catch(() => {})
    return next
  }

  async #next(): Promise<IteratorResult<KvWatchBatch<T>, undefined>> {
    try {
      const batch = await this.#watch.next<T>()
      return batch === undefined ? { done: true, value: undefined } : { done: false, value: batch }
    } catch (error) {
      if (this.#watch.closed) return { done: true, value: undefined }
      this.#watch.stop()
      throw error
    }
  }

  return(): Promise<IteratorResult<KvWatchBatch<T>, undefined>> {
    this.stop()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.dispose](): void {
    this.stop()
  }
}
