/** The change feed. */

import type { KvChange, KvChanges, KvChangesIterator, KvChangesOptions } from "../../../index.js"
import { takeOptionalCallback } from "../../shared/callbacks.js"
import { closed, describe, invalidArgument } from "../../shared/errors.js"
import { copyKey } from "../../shared/keys.js"
import { isList } from "../../shared/kinds.js"
import { MAX_READ_CHANGES } from "../../shared/limits.js"
import { flag, refuseExtra, takeOptions, wholeNumber } from "../../shared/options.js"
import { fromCaller, originOf } from "../../shared/stacks.js"
import type { ChangesReader, Transport } from "../../transport.js"
import { NoticeWaiter, persist } from "./notice-waiter.js"

const OPTIONS: readonly (keyof KvChangesOptions)[] = ["from", "prefix", "limit", "live", "onError"]

/** `kv.changes`: a function with two more as members. */
export function changesOf(transport: Transport): KvChanges {
  const changes = <T>(options?: KvChangesOptions, ...extra: unknown[]) => {
    refuseExtra(extra)
    return new ChangesIterator<T>(transport, options)
  }
  return Object.assign(changes, {
    async head(...extra: unknown[]) {
      refuseExtra(extra)
      return transport.query({ kind: "changesHead" })
    },
    async trim(seq: number, ...extra: unknown[]) {
      refuseExtra(extra)
      return fromCaller(trim(transport, seq))
    },
  })
}

/** In steps, so that other writes go between them. */
async function trim(transport: Transport, seq: number): Promise<{ trimmedCount: number }> {
  let [left, trimmedCount, more] = [wholeNumber(seq, "seq", -1, Number.MAX_SAFE_INTEGER), 0, true]
  while (more) {
    const step = await transport.write({ kind: "trimChanges", seq: left })
    trimmedCount += step.count
    left = step.upTo
    more = step.more
  }
  return { trimmedCount }
}

class ChangesIterator<T> implements KvChangesIterator<T> {
  readonly #transport: Transport
  readonly #reader: ChangesReader
  readonly #live: boolean
  readonly #onError: KvChangesOptions["onError"]
  #left: number
  #changes: KvChange<T>[] = []
  #at = 0
  #more = true
  #waiter: NoticeWaiter | undefined
  #last: Promise<unknown> = Promise.resolve()
  /** The origin of later errors: the call that began the feed. */
  readonly #origin = originOf(false)

  constructor(transport: Transport, given?: KvChangesOptions) {
    const options = takeOptions<KvChangesOptions>(given, OPTIONS)
    const prefix = copyKey(options.prefix)
    const { from, limit } = options
    const first = from === undefined ? undefined : wholeNumber(from, "from", 0, Number.MAX_SAFE_INTEGER)
    this.#left = limit === undefined ? Infinity : wholeNumber(limit, "limit", 1, Number.MAX_SAFE_INTEGER)
    this.#live = flag(options.live, "live")
    this.#onError = takeOptionalCallback(options.onError, "onError")
    if (prefix !== undefined && !isList(prefix))
      throw invalidArgument(`prefix: must be an array of parts, got ${describe(prefix)}`)
    this.#transport = transport
    // Numbers begin at 1: nothing before it was trimmed.
    const after = first === undefined ? undefined : Math.max(first, 1) - 1
    this.#reader = transport.open({ kind: "changes", after, prefix })
  }

  next(): Promise<IteratorResult<KvChange<T>, undefined>> {
    if (!this.#transport.closed) {
      const change = this.#take()
      if (change !== undefined) return Promise.resolve({ done: false, value: change })
    }
    const next = this.#last.then(() => this.#read())
    this.#last = next.catch(() => {})
    return fromCaller(next, this.#origin)
  }

  /**
   * Closing ends a live feed quietly; another feed that is cut rejects, so that it is not taken as complete.
   */
  #take(): KvChange<T> | undefined {
    if (this.#transport.closed && this.#live) this.#end()
    const change = this.#changes[this.#at]
    if (change === undefined) return undefined
    if (this.#transport.closed) throw closed()
    this.#at++
    return change
  }

  async #read(): Promise<IteratorResult<KvChange<T>, undefined>> {
    try {
      for (;;) {
        const change = this.#take()
        if (change !== undefined) return { done: false, value: change }
        if (this.#left === 0) break
        if (this.#more) await this.#load()
        else if (!this.#live || !(await this.#wait())) break
      }
    } catch (error) {
      const isQuiet = this.#live && (this.#transport.closed || this.#waiter?.ended)
      this.#end()
      if (!isQuiet) throw error
    }
    this.#end()
    return { done: true, value: undefined }
  }

  async #load(): Promise<void> {
    const read = () => this.#reader.page<T>(Math.min(this.#left, MAX_READ_CHANGES))
    const { changes, more } = await (this.#live
      ? persist(read, () => this.#waiterOf(), this.#onError)
      : read())
    this.#changes = changes
    this.#at = 0
    this.#left -= changes.length
    this.#more = more
  }

  /**
   * Waits for a notice; false at the end. The first call only subscribes: changes before that are read first.
   */
  async #wait(): Promise<boolean> {
    this.#more = true
    const waiter = this.#waiterOf()
    if (this.#reader.isSubscribed) return waiter.wait()
    this.#reader.subscribe(waiter)
    return true
  }

  #waiterOf(): NoticeWaiter {
    this.#waiter ??= new NoticeWaiter(this.#transport)
    return this.#waiter
  }

  return(): Promise<IteratorResult<KvChange<T>, undefined>> {
    this.#end()
    return Promise.resolve({ done: true, value: undefined })
  }

  #end(): void {
    this.#changes = []
    this.#at = 0
    this.#left = 0
    this.#reader.unsubscribe()
    this.#waiter?.detach()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
