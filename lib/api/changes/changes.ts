/** The change feed. */

import type { KvChange, KvChanges, KvChangesIterator, KvChangesOptions } from "../../../index.js"
import type { NativeFeed } from "../../native/addon.js"
import { type Bridge, closed } from "../../native/bridge.js"
import type { Follower } from "../../notices/change-subscribers.js"
import { takeOptionalCallback } from "../../shared/callbacks.js"
import { describe, invalidArgument } from "../../shared/errors.js"
import { copyKey } from "../../shared/keys.js"
import { MAX_READ_CHANGES } from "../../shared/limits.js"
import { flag, refuseExtra, takeOptions, wholeNumber } from "../../shared/options.js"
import { isList } from "../../value/kinds.js"
import { readChanges } from "../../wire/page.js"
import { Attention, persist } from "./notice-waiter.js"

const OPTIONS: readonly (keyof KvChangesOptions)[] = ["from", "prefix", "limit", "live", "onError"]

/** `kv.changes`: a function with two others. */
export function changesOf(bridge: Bridge): KvChanges {
  const changes = <T>(options?: KvChangesOptions, ...extra: unknown[]) => {
    refuseExtra(extra)
    return new ChangesIterator<T>(bridge, options)
  }
  return Object.assign(changes, {
    async head(...extra: unknown[]) {
      refuseExtra(extra)
      return bridge.call<number>((handle, id) => handle.logHead(id))
    },
    async trim(seq: number, ...extra: unknown[]) {
      refuseExtra(extra)
      return trim(bridge, seq)
    },
  })
}

/** In steps, so that other writes go between them. */
async function trim(bridge: Bridge, seq: number): Promise<{ trimmedCount: number }> {
  let [left, trimmedCount, more] = [wholeNumber(seq, "seq", -1, Number.MAX_SAFE_INTEGER), 0, true]
  while (more) {
    const [count, again, upTo] = await bridge.write(
      (handle, id) => handle.trimLog(id, left),
      (body: [count: number, more: number, upTo: number]) => body,
    )
    trimmedCount += count
    left = upTo
    more = again === 1
  }
  return { trimmedCount }
}

/** Pages of changes, from where the last one ended. */
export class Feed {
  readonly #bridge: Bridge
  readonly #native: NativeFeed
  #after: number | undefined
  #follower: number | undefined

  constructor(bridge: Bridge, after: number | undefined, prefix: unknown) {
    this.#bridge = bridge
    this.#native = bridge.now((handle) => handle.feed(after, prefix))
  }

  /** Where the next page begins: after this number. */
  get position(): number | undefined {
    return this.#after
  }

  get isFollowed(): boolean {
    return this.#follower !== undefined
  }

  /** Once a page was the last one, it is noticed when there is another. What is there now is still to be read. */
  follow(follower: Follower): void {
    this.#follower = this.#bridge.now((handle) => handle.follow(this.#native))
    this.#bridge.news.followers.add(this.#follower, follower)
  }

  unfollow(): void {
    if (this.#follower === undefined) return
    this.#bridge.news.followers.delete(this.#follower)
    this.#bridge.ended((handle) => handle.unfollow(this.#native))
    this.#follower = undefined
  }

  /** The next page: it may be empty though there is more. */
  async page<T>(limit: number): Promise<{ changes: KvChange<T>[]; more: boolean }> {
    this.#bridge.spend(1)
    const turn = this.#bridge.turn()
    if (turn !== undefined) await turn
    const read = this.#bridge.askPage(
      (handle, id) => handle.feedPage(this.#native, this.#after, limit, id),
      readChanges<[position: number, more: number]>,
    )
    const { rows, tail } = read instanceof Promise ? await read : read
    this.#bridge.spend(rows.length)
    const [position, more] = tail
    this.#after = position
    return { changes: rows as KvChange<T>[], more: more === 1 }
  }
}

class ChangesIterator<T> implements KvChangesIterator<T> {
  readonly #bridge: Bridge
  readonly #feed: Feed
  readonly #live: boolean
  readonly #onError: KvChangesOptions["onError"]
  #left: number
  #changes: KvChange<T>[] = []
  #at = 0
  #more = true
  #attention: Attention | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(bridge: Bridge, given?: KvChangesOptions) {
    const options = takeOptions<KvChangesOptions>(given, OPTIONS)
    const prefix = copyKey(options.prefix)
    const { from, limit } = options
    const first = from === undefined ? undefined : wholeNumber(from, "from", 0, Number.MAX_SAFE_INTEGER)
    this.#left = limit === undefined ? Infinity : wholeNumber(limit, "limit", 1, Number.MAX_SAFE_INTEGER)
    this.#live = flag(options.live, "live")
    this.#onError = takeOptionalCallback(options.onError, "onError")
    if (prefix !== undefined && !isList(prefix))
      throw invalidArgument(`prefix: must be an array of parts, got ${describe(prefix)}`)
    this.#bridge = bridge
    // Numbers begin at 1: nothing before it was trimmed.
    const after = first === undefined ? undefined : Math.max(first, 1) - 1
    this.#feed = new Feed(bridge, after, prefix)
  }

  next(): Promise<IteratorResult<KvChange<T>, undefined>> {
    if (!this.#bridge.closed) {
      const change = this.#take()
      if (change !== undefined) return Promise.resolve({ done: false, value: change })
    }
    const next = this.#last.then(() => this.#read())
    this.#last = next.catch(() => {})
    return next
  }

  /** Closing ends a live feed quietly; one that closing cuts rejects, so that it is not taken for a whole one. */
  #take(): KvChange<T> | undefined {
    if (this.#bridge.closed && this.#live) this.#end()
    const change = this.#changes[this.#at]
    if (change === undefined) return undefined
    if (this.#bridge.closed) throw closed()
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
      const isQuiet = this.#live && (this.#bridge.closed || this.#attention?.ended)
      this.#end()
      if (!isQuiet) throw error
    }
    this.#end()
    return { done: true, value: undefined }
  }

  async #load(): Promise<void> {
    const read = () => this.#feed.page<T>(Math.min(this.#left, MAX_READ_CHANGES))
    const { changes, more } = await (this.#live ? persist(read, () => this.#listen(), this.#onError) : read())
    this.#changes = changes
    this.#at = 0
    this.#left -= changes.length
    this.#more = more
  }

  /** Waits for news; false at the end. The first time it only begins to listen: what came before that is read first. */
  async #wait(): Promise<boolean> {
    this.#more = true
    const attention = this.#listen()
    if (this.#feed.isFollowed) return attention.wait()
    this.#feed.follow(attention)
    return true
  }

  #listen(): Attention {
    this.#attention ??= new Attention(this.#bridge)
    return this.#attention
  }

  return(): Promise<IteratorResult<KvChange<T>, undefined>> {
    this.#end()
    return Promise.resolve({ done: true, value: undefined })
  }

  #end(): void {
    this.#changes = []
    this.#at = 0
    this.#left = 0
    this.#feed.unfollow()
    this.#attention?.leave()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
