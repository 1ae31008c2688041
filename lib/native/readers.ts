/** Lists, searches, feeds and backups of the addon, read page by page. */

import type { KvBackupProgress, KvBackupResult, KvChange, KvEntry } from "../../index.js"
import type { ChangeSubscribers } from "../notices/change-subscribers.js"
import { nextTurn } from "../shared/host.js"
import type {
  BackupReader,
  ChangesReader,
  ListPage,
  ListReader,
  Readers,
  Request,
  SearchReader,
  Waiter,
} from "../transport.js"
import { isUnparsed, parcelOf, readChanges, readFound, readListed } from "../wire/page.js"
import {
  fromNative,
  type NativeBackup,
  type NativeFeed,
  type NativeList,
  type NativeSearch,
} from "./addon.js"
import type { Bridge } from "./bridge.js"
import { ENTRIES_A_QUESTION } from "./event-loop-budget.js"

export class NativeListReader implements ListReader {
  readonly #bridge: Bridge
  readonly #native: NativeList
  readonly #isFiltered: boolean
  /** A value was met that is no JSON; from there on Rust checks each. */
  #isChecked = false
  readonly #reader: { page(parcel: Parameters<typeof readListed>[0]): ListPage }

  constructor(bridge: Bridge, request: Request<Readers, "list">) {
    const { prefix, keysOnly, where } = request
    this.#bridge = bridge
    this.#isFiltered = where !== undefined
    this.#reader = { page: (parcel) => readListed(parcel, prefix ?? [], keysOnly) }
    try {
      this.#native = bridge.handle.listOpen(request)
    } catch (error) {
      throw fromNative(error)
    }
  }

  page(limit: number): ListPage | Promise<ListPage> {
    const { budget } = this.#bridge
    if (budget.isSpent) {
      budget.renew()
      return nextTurn().then(() => this.page(limit))
    }
    const id = this.#bridge.nextId()
    let page: ListPage
    try {
      const packet = this.#bridge.handle.listPage(id, this.#native, limit)
      if (packet === undefined)
        return this.#bridge.expect(id, undefined, this.#reader).catch((error) => this.#again(error, limit))
      page = this.#reader.page(parcelOf(packet))
    } catch (error) {
      return this.#again(fromNative(error), limit)
    }
    const { length } = page.entries
    budget.consume(this.#isFiltered ? Math.max(length, ENTRIES_A_QUESTION) : length)
    return page
  }

  /** A value that is no JSON spoils the page that it is in: the page is read again, and names it. */
  #again(error: unknown, limit: number): ListPage | Promise<ListPage> {
    if (!isUnparsed(error) || this.#isChecked) throw error
    this.#isChecked = true
    this.#native.again()
    return this.page(limit)
  }
}

/** Rust counts matches in 32 bits. */
const MAX_U32 = 2 ** 32 - 1

const FOUND = { page: readFound<[offset: number, more: number]> }

export class NativeSearchReader implements SearchReader {
  readonly #bridge: Bridge
  readonly #native: NativeSearch
  #offset = 0

  constructor(bridge: Bridge, request: Request<Readers, "search">) {
    this.#bridge = bridge
    this.#native = bridge.callSync((handle) => handle.searchOpen(request))
  }

  async page(wanted: number): Promise<{ entries: KvEntry[]; more: boolean }> {
    const { budget } = this.#bridge
    budget.consume(ENTRIES_A_QUESTION)
    const turn = budget.yieldIfDue()
    if (turn !== undefined) await turn
    const most = Math.min(wanted, MAX_U32)
    const { rows, tail } = await this.#bridge.ask(
      (handle, id) => handle.searchPage(id, this.#native, this.#offset, most),
      undefined,
      FOUND,
    )
    const [offset, more] = tail
    this.#offset = offset
    return { entries: rows, more: more === 1 }
  }
}

const CHANGES = { page: readChanges<[position: number, more: number]> }

export class NativeChangesReader implements ChangesReader {
  readonly #bridge: Bridge
  readonly #subscribers: ChangeSubscribers
  readonly #native: NativeFeed
  #position: number | undefined
  /** The number by which Rust names it. */
  #subscription: number | undefined

  constructor(
    bridge: Bridge,
    subscribers: ChangeSubscribers,
    { after, prefix }: Request<Readers, "changes">,
  ) {
    this.#bridge = bridge
    this.#subscribers = subscribers
    this.#native = bridge.callSync((handle) => handle.changesOpen(after, prefix))
  }

  get position(): number | undefined {
    return this.#position
  }

  get isSubscribed(): boolean {
    return this.#subscription !== undefined
  }

  subscribe(waiter: Waiter): void {
    this.#subscription = this.#bridge.callSync((handle) => handle.changesSubscribe(this.#native))
    this.#subscribers.add(this.#subscription, waiter)
  }

  unsubscribe(): void {
    if (this.#subscription === undefined) return
    this.#subscribers.delete(this.#subscription)
    this.#bridge.callWhileClosing((handle) => handle.changesUnsubscribe(this.#native))
    this.#subscription = undefined
  }

  async page<T>(limit: number): Promise<{ changes: KvChange<T>[]; more: boolean }> {
    const { budget } = this.#bridge
    budget.consume(1)
    const turn = budget.yieldIfDue()
    if (turn !== undefined) await turn
    const read = this.#bridge.ask(
      (handle, id) => handle.changesPage(id, this.#native, this.#position, limit),
      undefined,
      CHANGES,
    )
    const { rows, tail } = read instanceof Promise ? await read : read
    budget.consume(rows.length)
    const [position, more] = tail
    this.#position = position
    return { changes: rows as KvChange<T>[], more: more === 1 }
  }
}

const EVENT = {
  body: (event: [copiedBytes: number, totalBytes: number] | KvBackupResult) =>
    Array.isArray(event) ? { copiedBytes: event[0], totalBytes: event[1] } : event,
}

export class NativeBackupReader implements BackupReader {
  readonly #bridge: Bridge
  readonly #native: NativeBackup

  constructor(bridge: Bridge, request: Request<Readers, "backup">) {
    this.#bridge = bridge
    this.#native = bridge.callSync((handle) => handle.backupOpen(request))
  }

  async next(): Promise<KvBackupProgress | KvBackupResult> {
    return this.#bridge.ask((handle, id) => handle.backupNext(id, this.#native), undefined, EVENT)
  }

  stop(): void {
    this.#bridge.callWhileClosing((handle) => handle.backupStop(this.#native))
  }
}
