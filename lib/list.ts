/** Lists, pages and what they read: selectors. */

import type {
  KvCountOptions,
  KvEntry,
  KvKey,
  KvListIterator,
  KvListOptions,
  KvPage,
  KvPaginateOptions,
  KvSelector,
} from "../index.js"
import type { Bridge } from "./bridge.js"
import { describe, invalidArgument } from "./errors.js"
import { filterText } from "./filter.js"
import { copyKey } from "./keys.js"
import { MAX_PAGE_ENTRIES } from "./limits.js"
import { fromNative, type NativeScan, native } from "./native.js"
import { checkConsistency, checkOptions, flag, wholeNumber } from "./options.js"
import type { Page } from "./page.js"

const DEFAULT_BATCH_ENTRIES = 500
const DEFAULT_PAGE_ENTRIES = 100
const LIST_OPTIONS = [
  "limit",
  "reverse",
  "start",
  "end",
  "cursor",
  "keysOnly",
  "batchSize",
  "consistency",
  "where",
]
const PAGE_OPTIONS = ["limit", "cursor", "reverse", "where"]

/** A key as a prefix, or the selector that it is. */
export function selectorOf(selector: unknown): KvSelector {
  if (Array.isArray(selector)) return { prefix: selector }
  if (typeof selector !== "object" || selector === null)
    throw invalidArgument(`selector: must be a key or { prefix, start, end }, got ${describe(selector)}`)
  checkOptions(selector, ["prefix", "start", "end"], "selector")
  return selector
}

function bounded(selector: unknown, { start, end }: KvListOptions): KvSelector {
  const chosen = selectorOf(selector)
  for (const [name, bound] of Object.entries({ start, end }))
    if (bound !== undefined && chosen[name as "start"] !== undefined)
      throw invalidArgument(`${name}: it is given in the selector and in the options; give one of them`)
  return { ...chosen, ...(start !== undefined && { start }), ...(end !== undefined && { end }) }
}

function cursorOf(cursor: unknown): string {
  if (cursor === undefined || cursor === null) return ""
  if (typeof cursor === "string") return cursor
  throw invalidArgument(`cursor: must be a string, got ${describe(cursor)}`)
}

/** A list in Rust, and what makes its entries here. */
export interface Scan {
  native: NativeScan
  prefix: KvKey
  keysOnly: boolean
  filtered: boolean
}

interface Range {
  selector: KvSelector
  cursor: string
  reverse: boolean
  keysOnly: boolean
  batch: number
  filter: string | undefined
}

function open(bridge: Bridge, { selector, cursor, reverse, keysOnly, batch, filter }: Range): Scan {
  const { start, end } = selector
  const prefix = copyKey(selector.prefix)
  try {
    const native = bridge.handle.scan(prefix, start, end, cursor, reverse, keysOnly, batch, filter)
    return { native, prefix: prefix ?? [], keysOnly, filtered: filter !== undefined }
  } catch (error) {
    throw fromNative(error)
  }
}

/** Begins a list. Bad arguments throw here, before the loop. */
export function list<T>(bridge: Bridge, selector: unknown, options: KvListOptions = {}): ListIterator<T> {
  checkOptions(options, LIST_OPTIONS)
  const { limit, batchSize = DEFAULT_BATCH_ENTRIES, consistency } = options
  checkConsistency(consistency)
  const most = limit === undefined ? Infinity : wholeNumber(limit, "limit", 1, Number.MAX_SAFE_INTEGER)
  const range = {
    selector: bounded(selector, options),
    cursor: cursorOf(options.cursor),
    reverse: flag(options.reverse, "reverse"),
    keysOnly: flag(options.keysOnly, "keysOnly"),
    batch: wholeNumber(batchSize, "batchSize", 1, MAX_PAGE_ENTRIES),
    filter: filterText(options.where),
  }
  return new ListIterator(bridge, open(bridge, range), range, most)
}

/** Reads one page: as many reads as its size needs. */
export async function paginate<T>(
  bridge: Bridge,
  selector: unknown,
  options: KvPaginateOptions = {},
): Promise<KvPage<T>> {
  checkOptions(options, PAGE_OPTIONS)
  const limit = wholeNumber(
    options.limit === undefined ? DEFAULT_PAGE_ENTRIES : options.limit,
    "limit",
    1,
    MAX_PAGE_ENTRIES,
  )
  const reverse = flag(options.reverse, "reverse")
  const range = {
    selector: selectorOf(selector),
    cursor: cursorOf(options.cursor),
    reverse,
    keysOnly: false,
    batch: limit,
    filter: filterText(options.where),
  }
  const scan = open(bridge, range)
  const entries: KvEntry<T>[] = []
  let [hasMore, unsure] = [true, false]
  while (hasMore && (entries.length < limit || unsure)) {
    const page = await bridge.page(scan, limit - entries.length)
    entries.push(...(page.entries as KvEntry<T>[]))
    hasMore = page.more
    unsure = page.unsure
  }
  const last = entries.at(-1)
  return { entries, hasMore, cursor: hasMore && last ? native.cursorAfter(last.key, reverse) : null }
}

/** Counts live entries. */
export function count(bridge: Bridge, selector: unknown, options: KvCountOptions = {}): Promise<number> {
  checkOptions(options, ["where"])
  const { prefix, start, end } = selectorOf(selector)
  const filter = filterText(options.where)
  return bridge.call((handle, id) => handle.count(id, prefix, start, end, filter))
}

/** By hand: an async generator costs several times as much an entry. */
class ListIterator<T> implements KvListIterator<KvEntry<T>> {
  readonly #bridge: Bridge
  readonly #scan: Scan
  readonly #range: Range
  #entries: KvEntry<T>[] = []
  #at = 0
  #left: number
  #more = true
  #last: KvKey | undefined
  #loading: Promise<void> | undefined

  constructor(bridge: Bridge, scan: Scan, range: Range, limit: number) {
    this.#bridge = bridge
    this.#scan = scan
    this.#range = range
    this.#left = limit
  }

  get cursor(): string {
    return this.#last === undefined ? this.#range.cursor : native.cursorAfter(this.#last, this.#range.reverse)
  }

  next(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    if (this.#bridge.closed) this.#end()
    const entry = this.#entries[this.#at]
    if (entry === undefined) return this.#load()
    this.#at++
    this.#last = entry.key
    return Promise.resolve({ done: false, value: entry })
  }

  return(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    this.#end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #end(): void {
    this.#entries = []
    this.#at = 0
    this.#more = false
  }

  #load(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    if (this.#loading !== undefined) return this.#loading.then(() => this.next())
    if (!this.#more || this.#left === 0) return Promise.resolve({ done: true, value: undefined })
    try {
      const page = this.#bridge.page(this.#scan, Math.min(this.#range.batch, this.#left))
      if (!(page instanceof Promise)) {
        this.#take(page)
        return this.next()
      }
      this.#loading = page
        .then(
          (late) => this.#more && this.#take(late),
          (error) => this.#fail(error),
        )
        .then(() => {
          this.#loading = undefined
        })
      return this.#loading.then(() => this.next())
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Closing ends a list; anything else is told. */
  #fail(error: unknown): void {
    this.#loading = undefined
    if (!this.#bridge.closed) throw error
    this.#end()
  }

  #take(page: Page): void {
    this.#entries = page.entries as KvEntry<T>[]
    this.#at = 0
    this.#more = page.more
    this.#left -= page.entries.length
  }
}
