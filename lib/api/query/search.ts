/** Full-text searches. */

import type { KvEntry, KvKey, KvSearchIterator, KvSearchOptions } from "../../../index.js"
import { closed } from "../../shared/errors.js"
import { copyKey } from "../../shared/keys.js"
import { takeOptions, wholeNumber } from "../../shared/options.js"
import { fromCaller, originOf } from "../../shared/stacks.js"
import type { SearchReader, Transport } from "../../transport.js"
import { unreadOf } from "../../value/unreadable.js"
import { filterText } from "./filter.js"

/** Reads matches in pages, best first. */
export class SearchIterator<T> implements KvSearchIterator<T> {
  readonly #transport: Transport
  readonly #reader: SearchReader
  #left: number
  #entries: KvEntry<T>[] = []
  #at = 0
  #more = true
  #last: Promise<unknown> = Promise.resolve()
  /** The origin of later errors: the call that began the search. */
  readonly #origin = originOf(false)

  constructor(transport: Transport, target: KvKey, query: string, options?: KvSearchOptions) {
    const { limit, where } = takeOptions<KvSearchOptions>(options, ["limit", "where"])
    const prefix = copyKey(target)
    this.#left = limit === undefined ? Infinity : wholeNumber(limit, "limit", 1, Number.MAX_SAFE_INTEGER)
    // A lone surrogate is no letter.
    const text = typeof query === "string" ? query.replace(/\p{Surrogate}/gu, " ") : query
    this.#transport = transport
    this.#reader = transport.open({ kind: "search", prefix, query: text, where: filterText(where) })
  }

  next(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    const next = this.#last.then(() => this.#next())
    this.#last = next.catch(() => {})
    return fromCaller(next, this.#origin)
  }

  async #next(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    for (;;) {
      const entry = this.#entries[this.#at]
      if (entry === undefined && (!this.#more || this.#left === 0)) return { done: true, value: undefined }
      // A search that closing cuts rejects, so that it is not taken as complete.
      if (this.#transport.closed) throw closed()
      if (entry === undefined) await this.#load()
      else {
        this.#at++
        const unread = unreadOf(entry)
        if (unread !== undefined) throw unread
        return { done: false, value: entry }
      }
    }
  }

  async #load(): Promise<void> {
    const { entries, more } = await this.#reader.page(this.#left)
    if (!this.#more) return // It was left meanwhile.
    this.#entries = entries as KvEntry<T>[]
    this.#at = 0
    this.#left -= entries.length
    this.#more = more
  }

  return(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    this.#more = false
    this.#entries = []
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
