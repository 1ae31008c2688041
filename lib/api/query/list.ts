/** Lists, pages and selectors. */

import type {
  KvCountOptions,
  KvEntry,
  KvKey,
  KvListIterator,
  KvListOptions,
  KvPage,
  KvPaginateOptions,
} from "../../../index.js"
import { closed, describe, invalidArgument } from "../../shared/errors.js"
import { copyBound, type KeyBound, type KeyRange, selectorOf } from "../../shared/keys.js"
import { MAX_PAGE_ENTRIES } from "../../shared/limits.js"
import { consistencyOf, flag, takeOptions, wholeNumber } from "../../shared/options.js"
import { type Signal, signalOf, unlessAborted } from "../../shared/signal.js"
import type { ListPage, ListReader, Readers, Request, Transport } from "../../transport.js"
import { unreadOf } from "../../value/unreadable.js"
import { filterText } from "./filter.js"

const DEFAULT_BATCH_ENTRIES = 500
const DEFAULT_PAGE_ENTRIES = 100
const LIST_OPTIONS: readonly (keyof KvListOptions)[] = [
  "limit",
  "reverse",
  "start",
  "end",
  "after",
  "cursor",
  "keysOnly",
  "batchSize",
  "consistency",
  "where",
  "signal",
]
const PAGE_OPTIONS: readonly (keyof KvPaginateOptions)[] = [
  "limit",
  "after",
  "cursor",
  "reverse",
  "keysOnly",
  "where",
]

/** A selector, with the bounds given in the options. */
function bounded(selector: unknown, options: KvListOptions): KeyRange {
  const { prefix, ...chosen } = selectorOf(selector)
  return {
    prefix,
    start: oneOf("start", chosen.start, options.start),
    end: oneOf("end", chosen.end, options.end),
  }
}

function oneOf<B extends KeyBound>(name: string, chosen: B | undefined, given: B | undefined): B | undefined {
  if (chosen !== undefined && given !== undefined)
    throw invalidArgument(`${name}: it is given in the selector and in the options; give one of them`)
  return chosen === undefined ? copyBound(given) : chosen
}

function cursorOf(cursor: unknown): string {
  if (cursor === undefined) return ""
  if (typeof cursor === "string") return cursor
  throw invalidArgument(`cursor: must be a string, got ${describe(cursor)}`)
}

type ListRequest = Request<Readers, "list">

/** Begins a list. Bad arguments throw here, before the loop. */
export function list<T>(transport: Transport, selector: unknown, given?: KvListOptions): ListIterator<T> {
  const options = takeOptions<KvListOptions>(given, LIST_OPTIONS)
  const { limit, batchSize = DEFAULT_BATCH_ENTRIES } = options
  const consistency = consistencyOf(options.consistency)
  const most = limit === undefined ? Infinity : wholeNumber(limit, "limit", 1, Number.MAX_SAFE_INTEGER)
  const request: ListRequest = {
    kind: "list",
    ...bounded(selector, options),
    after: copyBound(options.after),
    cursor: cursorOf(options.cursor),
    reverse: flag(options.reverse, "reverse"),
    keysOnly: flag(options.keysOnly, "keysOnly"),
    consistency,
    batch: wholeNumber(batchSize, "batchSize", 1, MAX_PAGE_ENTRIES),
    where: filterText(options.where),
  }
  return new ListIterator(transport, request, most, signalOf(options.signal))
}

/** Reads one page: as many reads as its size needs. */
export async function paginate<T>(
  transport: Transport,
  selector: unknown,
  given?: KvPaginateOptions,
): Promise<KvPage<T>> {
  const options = takeOptions<KvPaginateOptions>(given, PAGE_OPTIONS)
  const limit = wholeNumber(
    options.limit === undefined ? DEFAULT_PAGE_ENTRIES : options.limit,
    "limit",
    1,
    MAX_PAGE_ENTRIES,
  )
  const reverse = flag(options.reverse, "reverse")
  const reader = transport.open({
    kind: "list",
    ...selectorOf(selector),
    after: copyBound(options.after),
    cursor: options.cursor === null ? "" : cursorOf(options.cursor),
    reverse,
    keysOnly: flag(options.keysOnly, "keysOnly"),
    consistency: "strong",
    batch: limit,
    where: filterText(options.where),
  })
  const entries: KvEntry<T>[] = []
  let [hasMore, unsure] = [true, false]
  while (hasMore && (entries.length < limit || unsure)) {
    const page = await reader.page(limit - entries.length)
    const unreadAt = page.entries.findIndex((entry) => unreadOf(entry) !== undefined)
    if (unreadAt >= 0) {
      entries.push(...(page.entries.slice(0, unreadAt) as KvEntry<T>[]))
      // An unreadable entry ends the page before it; a page that would begin with it throws.
      if (entries.length === 0) throw unreadOf(page.entries[0] as KvEntry<unknown>)
      hasMore = true
      break
    }
    entries.push(...(page.entries as KvEntry<T>[]))
    hasMore = page.more
    unsure = page.unsure
  }
  const last = entries.at(-1)
  return { entries, hasMore, cursor: hasMore && last ? transport.core.cursorAfter(last.key, reverse) : null }
}

/** Counts live entries. */
export async function count(
  transport: Transport,
  selector: unknown,
  options?: KvCountOptions,
): Promise<number> {
  const { where } = takeOptions<KvCountOptions>(options, ["where"])
  return transport.query({ kind: "count", ...selectorOf(selector), where: filterText(where) })
}

/** By hand: an async generator costs several times as much an entry. */
class ListIterator<T> implements KvListIterator<KvEntry<T>> {
  readonly #transport: Transport
  readonly #request: ListRequest
  readonly #reader: ListReader
  readonly #signal: Signal | undefined
  #entries: KvEntry<T>[] = []
  #at = 0
  #left: number
  #more = true
  /** The end of the range was read and returned. */
  #isWhole = false
  #isOver = false
  #last: KvKey | undefined
  #loading: Promise<void> | undefined

  constructor(transport: Transport, request: ListRequest, limit: number, signal: Signal | undefined) {
    this.#signal = signal
    this.#transport = transport
    this.#request = request
    this.#reader = transport.open(request)
    this.#left = limit
  }

  get cursor(): string {
    if (this.#isOver) return ""
    const { cursor, reverse } = this.#request
    return this.#last === undefined ? cursor : this.#transport.core.cursorAfter(this.#last, reverse)
  }

  /** A list that closing cuts rejects, so that it is not taken as complete. */
  next(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    const entry = this.#entries[this.#at]
    if (this.#signal?.aborted && (entry !== undefined || this.#hasMore))
      return Promise.reject(this.#signal.reason)
    if (entry === undefined) return this.#load()
    if (this.#transport.closed) return Promise.reject(closed())
    this.#at++
    this.#last = entry.key
    const unread = unreadOf(entry)
    if (unread !== undefined) return Promise.reject(unread)
    return Promise.resolve({ done: false, value: entry })
  }

  return(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    this.#end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** More entries are to be read. */
  get #hasMore(): boolean {
    return this.#more && this.#left > 0
  }

  #end(): void {
    this.#isWhole = this.#isOver
    this.#entries = []
    this.#at = 0
    this.#more = false
  }

  #load(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    if (this.#loading !== undefined) return this.#whenLoaded(this.#loading)
    if (!this.#hasMore) {
      this.#isOver = this.#isWhole
      return Promise.resolve({ done: true, value: undefined })
    }
    try {
      const page = this.#reader.page(Math.min(this.#request.batch, this.#left))
      if (!(page instanceof Promise)) {
        this.#take(page)
        return this.next()
      }
      this.#loading = page
        .then((late) => void (this.#more && this.#take(late)))
        .finally(() => {
          this.#loading = undefined
        })
      return this.#whenLoaded(this.#loading)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #whenLoaded(loading: Promise<void>): Promise<IteratorResult<KvEntry<T>, undefined>> {
    return unlessAborted(
      loading.then(() => this.next()),
      this.#signal,
    )
  }

  #take(page: ListPage): void {
    this.#entries = page.entries as KvEntry<T>[]
    this.#at = 0
    this.#more = page.more
    this.#isWhole = !page.more
    this.#left -= page.entries.length
  }
}
