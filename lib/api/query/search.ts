/** Full-text search: indexes, and what they find. */

import type {
  KvEntry,
  KvExplanation,
  KvIndex,
  KvIndexOptions,
  KvKey,
  KvOrderedIndexOptions,
  KvSearchIndexOptions,
  KvSearchIterator,
  KvSearchOptions,
} from "../../../index.js"
import type { NativeSearch } from "../../native/addon.js"
import { type Bridge, closed, ENTRIES_A_QUESTION } from "../../native/bridge.js"
import { invalidArgument } from "../../shared/errors.js"
import { copyKey, copyList, selectorOf } from "../../shared/keys.js"
import { flag, takeOptions, wholeNumber } from "../../shared/options.js"
import { awaited, originOf, traced } from "../../shared/stacks.js"
import { readFound, reviveKey, unreadOf } from "../../wire/page.js"
import { filterText } from "./filter.js"

/** Rust counts so far. */
const MAX_U32 = 2 ** 32 - 1

/** Of either kind: what goes with what is checked here. */
type IndexOptions = { [Member in keyof (KvSearchIndexOptions | KvOrderedIndexOptions)]: unknown }

export function createIndex(bridge: Bridge, target: unknown, options: KvIndexOptions): Promise<void> {
  if (options === undefined)
    throw invalidArgument('options: they are missing; give { fields: ["title"] } or { on: ["city"] }')
  const given = takeOptions<IndexOptions>(options, ["fields", "tokenize", "on", "unique"])
  const { tokenize, unique } = given
  const [prefix, fields, on] = [copyKey(target), copyList(given.fields), copyList(given.on)]
  if ((fields === undefined) === (on === undefined))
    throw invalidArgument("options: give either fields, for search, or on, for filters")
  if (fields !== undefined) {
    if (unique !== undefined) throw invalidArgument("unique: it goes with on, not with fields")
    return bridge.write(
      (handle, id) =>
        handle.createSearchIndex(id, prefix, fields, tokenize === undefined ? "unicode61" : tokenize),
      () => undefined,
    )
  }
  if (tokenize !== undefined) throw invalidArgument("tokenize: it goes with fields, not with on")
  const isUnique = flag(unique, "unique")
  return bridge.write(
    (handle, id) => handle.createOrderedIndex(id, prefix, on, isUnique),
    () => undefined,
  )
}

type ToldIndex = [prefix: unknown[], name: string, kind: KvIndex["kind"], spec: object, createdAt: number]

export async function listIndexes(bridge: Bridge): Promise<KvIndex[]> {
  const told = await bridge.call<ToldIndex[]>((handle, id) => handle.listIndexes(id))
  return told.map(indexOf)
}

function indexOf([prefix, name, kind, spec, createdAt]: ToldIndex): KvIndex {
  return { prefix: reviveKey(prefix), name, kind, ...spec, createdAt } as KvIndex
}

export function removeIndex(bridge: Bridge, target: unknown, name: unknown): Promise<{ ok: boolean }> {
  const prefix = copyKey(target)
  return bridge.write(
    (handle, id) => handle.removeIndexes(id, prefix, name),
    (count: number) => ({ ok: count > 0 }),
  )
}

type Explained = [index: ToldIndex | null, rows: number, entries: number]

export async function explain(bridge: Bridge, selector: unknown, where: unknown): Promise<KvExplanation> {
  const { prefix, start, end } = selectorOf(selector)
  const filter = filterText(where)
  const [index, rowsRead, entries] = await bridge.call<Explained>((handle, id) =>
    handle.explain(id, prefix, start, end, filter),
  )
  return { index: index && indexOf(index), rowsRead, entries }
}

/** Reads matches in pages, best first. */
export class SearchIterator<T> implements KvSearchIterator<T> {
  readonly #bridge: Bridge
  readonly #native: NativeSearch
  #left: number
  #entries: KvEntry<T>[] = []
  #at = 0
  #offset = 0
  #more = true
  #last: Promise<unknown> = Promise.resolve()
  /** What fails later leads to where the search was begun. */
  readonly #origin = originOf(false)

  constructor(bridge: Bridge, target: KvKey, query: string, options?: KvSearchOptions) {
    const { limit, where } = takeOptions<KvSearchOptions>(options, ["limit", "where"])
    const prefix = copyKey(target)
    this.#left = limit === undefined ? Infinity : wholeNumber(limit, "limit", 1, Number.MAX_SAFE_INTEGER)
    const filter = filterText(where)
    // A lone surrogate is no letter.
    const text = typeof query === "string" ? query.replace(/\p{Surrogate}/gu, " ") : query
    this.#bridge = bridge
    this.#native = bridge.now((handle) => handle.search(prefix, text, filter))
  }

  next(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    const next = this.#last.then(() => this.#next())
    this.#last = next.catch(() => {})
    return this.#origin === undefined ? awaited(next) : next
  }

  async #next(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    for (;;) {
      const entry = this.#entries[this.#at]
      if (entry === undefined && (!this.#more || this.#left === 0)) return { done: true, value: undefined }
      // One that is cut is not taken for a whole one.
      if (this.#bridge.closed) throw closed()
      if (entry === undefined) await this.#traced()
      else {
        this.#at++
        const unread = unreadOf(entry)
        if (unread !== undefined) throw unread
        return { done: false, value: entry }
      }
    }
  }

  async #traced(): Promise<void> {
    try {
      await this.#load()
    } catch (error) {
      throw traced(error, this.#origin)
    }
  }

  async #load(): Promise<void> {
    const wanted = Math.min(this.#left, MAX_U32)
    this.#bridge.spend(ENTRIES_A_QUESTION)
    const turn = this.#bridge.turn()
    if (turn !== undefined) await turn
    const read = this.#bridge.askPage(
      (handle, id) => handle.searchPage(this.#native, this.#offset, wanted, id),
      readFound<[offset: number, more: number]>,
    )
    const { rows, tail } = read instanceof Promise ? await read : read
    if (!this.#more) return // It was left meanwhile.
    this.#entries = rows as KvEntry<T>[]
    this.#at = 0
    this.#left -= rows.length
    this.#offset = tail[0]
    this.#more = tail[1] === 1
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
