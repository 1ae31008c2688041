/**
 * One `Kv`'s way to Rust. Reads and writes of one tick are gathered and cross together; completions come back as one
 * text after each group; what is pending keeps the process alive. Longer than other files: what is pending, who waits, and
 * what closing has to wait for are one state.
 */

import type { KvEntryMaybe, KvErrorCode, KvKey } from "../../index.js"
import type { Scan } from "../api/query/list.js"
import { News, type Notice } from "../notices/dispatcher.js"
import { outside } from "../shared/callbacks.js"
import { KvError } from "../shared/errors.js"
import { microtask, nextTurn, turn } from "../shared/host.js"
import { copyKey, copyKeys } from "../shared/keys.js"
import { aboutPlace, type KvSettings } from "../shared/options.js"
import { awaited, beneath, nearOrigin, type Origin, originOf, traced } from "../shared/stacks.js"
import { isList } from "../value/kinds.js"
import { isUnparsed, type Page, type Parcel, parcelOf, readKnown, readListed } from "../wire/page.js"
import { callNative, fromNative, type NativeHandle, native, type Packet } from "./addon.js"
import { Lifetime } from "./lifetime.js"
import { refuseOtherCopy, register } from "./open-files.js"

/** What runs until it is ended or leaves. It keeps the process alive. */
export interface Member {
  /** The `Kv` is being closed: the last moment to write. */
  end(): void
}

interface Pending {
  resolve(body: never, mail: Mail): void
  reject(error: unknown): void
}

/** What came with the letters. */
interface Mail {
  bytes: Uint8Array | undefined
  pages: readonly string[]
}

/** A `get` or a `getMany` of this tick: how many of the tick's keys are its own. */
interface Waiting {
  count: number
  single: boolean
  origin: Origin | undefined
  resolve(result: never): void
  reject(error: unknown): void
}

interface ErrorBody {
  code: KvErrorCode
  message: string
  unknown: boolean
}

/**
 * Reads are answered in microtasks, which starve timers and sockets for as long as they follow one another. After this
 * many entries the event loop gets a turn: at 4 µs each, about every 2 ms.
 */
const ENTRIES_A_TURN = 512
/** What a page of a search, or of a list with a filter, counts for at least: it looks at more than it gives. */
export const ENTRIES_A_QUESTION = 200
/** Where reads come one a turn, this many of them pass before one is followed by a look at what else its turn reads. */
const READS_A_LOOK = 16
/** The id under which news come. */
const NEWS = 0

export class Bridge {
  readonly #handle: NativeHandle
  /** Whose letters are taken: when it is woken, the handle may be gone. */
  readonly #mailbox: number
  readonly #lifetime = new Lifetime(this)
  readonly #unregister: () => void
  readonly #pending = new Map<number, Pending>()
  #waiting: Waiting[] = []
  #keys: KvKey[] = []
  /** This turn's batches are counted, until its end. */
  #counting = false
  #batches = 0
  /** Several batches in a turn: they share a snapshot while nothing is committed. */
  #keeping = false
  #nextId = 1
  #staged = false
  #turn = ENTRIES_A_TURN
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined
  /** Whom it concerns that something was committed. */
  readonly news = new News(this)
  readonly #members = new Set<Member>()
  /** Those of them that keep the process alive. */
  readonly #holders = new Set<Member>()
  #awaited = 0
  /** Nothing is waited for any more. */
  #ending = false
  #holding = false
  /** The addon's side is open: what is under way may still be ended. */
  #open = true

  constructor(settings: KvSettings) {
    const { url, durability, busyTimeout, sweepInterval, changeLog, retention, deadLetterRetention } =
      settings
    const wake = Lifetime.wakeOf(this.#lifetime)
    try {
      refuseOtherCopy(url)
      this.#handle = outside(
        () =>
          new native.Handle(
            url,
            durability,
            busyTimeout,
            sweepInterval,
            changeLog,
            retention,
            deadLetterRetention,
            wake,
          ),
      )
    } catch (error) {
      throw aboutPlace(fromNative(error), settings)
    }
    this.#mailbox = this.#handle.mailboxNumber
    this.#unregister = register(url)
    Lifetime.begin(this, this.#lifetime, this.#handle, this.#unregister)
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Throws if it is closed. */
  get handle(): NativeHandle {
    if (this.#closing !== undefined) throw closed()
    return this.#handle
  }

  /** Reads a key, with the others of this tick. */
  get<T>(key: KvKey): Promise<KvEntryMaybe<T>> {
    return new Promise((resolve, reject) => {
      try {
        if (this.#closing !== undefined) throw closed()
        this.#keys.push(checkedKey(key, ""))
      } catch (error) {
        throw beneath(error, Bridge.prototype.get)
      }
      this.#read({ count: 1, single: true, origin: originOf(true) ?? nearOrigin(), resolve, reject })
    })
  }

  /** Reads keys from one snapshot, with the others of this tick. Throws what is wrong with them. */
  getMany<T>(keys: readonly KvKey[]): Promise<KvEntryMaybe<T>[]> {
    if (this.#closing !== undefined) throw closed()
    const copies = copyKeys(keys, checkedKey)
    const origin = originOf(false)
    const answer = new Promise<KvEntryMaybe<T>[]>((resolve, reject) => {
      this.#keys.push(...copies)
      this.#read({ count: copies.length, single: false, origin, resolve, reject })
    })
    return origin === undefined ? awaited(answer) : answer
  }

  #read(waiting: Waiting): void {
    if (this.#waiting.push(waiting) === 1) this.#scheduleReads()
  }

  #scheduleReads(): void {
    if (this.#turn > 0) {
      microtask(this.#flushReads)
      return
    }
    this.#turn = ENTRIES_A_TURN
    turn(this.#flushReads)
  }

  readonly #flushReads = (): void => {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    const keys = this.#keys
    this.#waiting = []
    this.#keys = []
    this.#countBatch()
    this.#answer(waiting, keys)
  }

  /**
   * Beginning and ending a snapshot costs more than a read. Where many batches are read in one turn of the event loop,
   * they keep one until the end of the turn; Rust begins another as soon as anybody has committed.
   */
  #countBatch(): void {
    this.#batches++
    if (this.#counting || (!this.#keeping && this.#batches < READS_A_LOOK)) return
    this.#counting = true
    this.#batches = 1
    if (this.#keeping) this.#handle.keepSnapshot()
    turn(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    if (this.#keeping) this.#handle.releaseSnapshot()
    this.#counting = false
    this.#keeping = this.#batches > 1
    this.#batches = 0
  }

  /** `isAgain`: a value among them is no JSON, and is to be named. */
  #answer(waiting: Waiting[], keys: readonly KvKey[], isAgain = false): void {
    const id = this.#nextId++
    this.#turn -= keys.length
    const many = waiting.length > 1 || waiting[0]?.single === false
    try {
      if (isAgain) this.#handle.checkValues()
      const packet = this.#handle.readBatch(keys, many, id)
      if (packet !== undefined) {
        settle(waiting, readKnown(parcelOf(packet), keys))
        return
      }
    } catch (error) {
      this.#refuse(waiting, keys, fromNative(error), isAgain)
      return
    }
    this.#expectPage(id, (parcel) => readKnown(parcel, keys)).then(
      (entries) => settle(waiting, entries),
      (error) => this.#refuse(waiting, keys, error, isAgain),
    )
  }

  /** One of several is no key, or meets what cannot be read: each is read alone, so that the others get their answers. */
  #refuse(waiting: Waiting[], keys: readonly KvKey[], error: unknown, isAgain: boolean): void {
    if (!isAgain && isUnparsed(error) && !this.closed) {
      this.#answer(waiting, keys, true)
      return
    }
    if (waiting.length === 1 || this.closed) {
      for (const { origin, reject } of waiting) reject(traced(error, origin))
      return
    }
    let first = 0
    for (const one of waiting) {
      this.#answer([one], keys.slice(first, first + one.count))
      first += one.count
    }
  }

  /** A page of a list. Synchronous unless it takes long or the event loop is due a turn. */
  page(scan: Scan, limit: number): Page | Promise<Page> {
    if (this.#turn <= 0) {
      this.#turn = ENTRIES_A_TURN
      return nextTurn().then(() => this.page(scan, limit))
    }
    const id = this.#nextId++
    const read = (parcel: Parcel) => readListed(parcel, scan.prefix, scan.keysOnly)
    const again = (error: unknown) => {
      if (!isUnparsed(error) || scan.isChecked) throw error
      scan.isChecked = true
      scan.native.again()
      return this.page(scan, limit)
    }
    let page: Page
    try {
      const packet = this.handle.scanPage(scan.native, limit, id)
      if (packet === undefined) return this.#expectPage(id, read).catch(again)
      page = read(parcelOf(packet))
    } catch (error) {
      return again(fromNative(error))
    }
    this.#turn -= scan.filtered ? Math.max(page.entries.length, ENTRIES_A_QUESTION) : page.entries.length
    return page
  }

  #expectPage<P>(id: number, read: (parcel: Parcel) => P): Promise<P> {
    return this.#expect(id, ([base, page]: [number, number], { bytes, pages }) =>
      read({ text: pages[page] as string, bytes, base }),
    )
  }

  /** Stages a write: `stage` makes the calls that hand it to Rust under `id`. It crosses with the others of this tick. */
  write<B, R>(stage: (handle: NativeHandle, id: number) => void, read: (body: B) => R): Promise<R> {
    const id = this.#nextId++
    try {
      stage(this.handle, id)
    } catch (error) {
      return Promise.reject(beneath(fromNative(error), Bridge.prototype.write))
    }
    this.#scheduleWrites()
    return this.#expect(id, read)
  }

  /**
   * Stages a write whose answer is a page. It may end what is under way while the `Kv` is being closed. `read` is called
   * before `close` goes on.
   */
  writePage<R>(stage: (handle: NativeHandle, id: number) => void, read: (parcel: Parcel) => R): Promise<R> {
    const id = this.#nextId++
    try {
      if (!this.#open) throw closed()
      stage(this.#handle, id)
    } catch (error) {
      return Promise.reject(beneath(fromNative(error), Bridge.prototype.writePage))
    }
    this.#scheduleWrites()
    return this.#expectPage(id, read)
  }

  #scheduleWrites(): void {
    if (this.#staged) return
    this.#staged = true
    microtask(this.#flushWrites)
  }

  /** Asks something whose answer is a page: now, or later. */
  askPage<R>(
    start: (handle: NativeHandle, id: number) => Packet,
    read: (parcel: Parcel) => R,
  ): R | Promise<R> {
    const id = this.#nextId++
    const packet = this.now((handle) => start(handle, id))
    return packet === undefined ? this.#expectPage(id, read) : read(parcelOf(packet))
  }

  /** Asks something whose answer is JSON: now, or later. */
  askJson<R>(start: (handle: NativeHandle, id: number) => Packet): R | Promise<R> {
    const id = this.#nextId++
    const packet = this.now((handle) => start(handle, id))
    return packet === undefined ? this.#expect(id, (body: R) => body) : (JSON.parse(packet as string) as R)
  }

  /** Asks something whose answer is a page that comes by mail. */
  callPage<R>(start: (handle: NativeHandle, id: number) => void, read: (parcel: Parcel) => R): Promise<R> {
    const id = this.#nextId++
    try {
      start(this.handle, id)
    } catch (error) {
      return Promise.reject(beneath(fromNative(error), Bridge.prototype.callPage))
    }
    return this.#expectPage(id, read)
  }

  /** Counts entries that are read in microtasks. */
  spend(entries: number): void {
    this.#turn -= entries
  }

  /** A promise if the event loop is due a turn before more entries are read. */
  turn(): Promise<void> | undefined {
    if (this.#turn > 0) return undefined
    this.#turn = ENTRIES_A_TURN
    return nextTurn()
  }

  /** From now on it runs, until it leaves. */
  join(member: Member): void {
    if (this.#closing !== undefined) throw closed()
    this.#members.add(member)
    this.#holders.add(member)
    this.#hold()
  }

  /** It runs, and does not keep the process alive any more. */
  letGo(member: Member): void {
    if (this.#holders.delete(member) && this.#open) this.#hold()
  }

  leave(member: Member): void {
    this.#holders.delete(member)
    if (this.#members.delete(member)) this.attend()
  }

  /** What is waited for may be another. */
  attend(): void {
    if (!this.#open) return
    const reasons = this.#ending ? 0 : this.news.reasons
    if (reasons !== this.#awaited) this.#handle.attend(reasons)
    this.#awaited = reasons
    this.#hold()
  }

  /** Calls something that is done when it returns. */
  now<R>(work: (handle: NativeHandle) => R): R {
    try {
      return work(this.handle)
    } catch (error) {
      throw beneath(fromNative(error), Bridge.prototype.now)
    }
  }

  /** Ends something in Rust, also while the `Kv` is being closed; after that nothing of it is left. */
  ended(work: (handle: NativeHandle) => void): void {
    if (this.#open) work(this.#handle)
  }

  /** Calls something whose completion comes by mail. */
  call<B>(start: (handle: NativeHandle, id: number) => void): Promise<B> {
    const id = this.#nextId++
    try {
      start(this.handle, id)
    } catch (error) {
      return Promise.reject(beneath(fromNative(error), Bridge.prototype.call))
    }
    return this.#expect(id, (body: B) => body)
  }

  readonly #flushWrites = (): void => {
    this.#staged = false
    this.#handle.flush()
  }

  #expect<B, R>(id: number, read: (body: B, mail: Mail) => R): Promise<R> {
    const origin = originOf(false)
    const answer = new Promise<R>((resolve, reject) => {
      const fail = (error: unknown) => reject(traced(error, origin))
      this.#pending.set(id, {
        resolve: (body: B, mail) => {
          try {
            resolve(read(body, mail))
          } catch (error) {
            fail(error)
          }
        },
        reject: fail,
      } as Pending)
      if (this.#pending.size === 1) this.#hold()
    })
    return origin === undefined ? awaited(answer) : answer
  }

  #hold(): void {
    const holds = this.#pending.size > 0 || this.#holders.size > 0
    if (holds !== this.#holding) this.#handle.hold(holds)
    this.#holding = holds
    this.#lifetime.run(holds || this.#members.size > 0 ? this : undefined)
  }

  /** Takes what has come by mail. */
  drain(): void {
    const packet = native.drain(this.#mailbox)
    if (packet === undefined) return
    const [text, bytes, ...pages] = typeof packet === "string" ? [packet] : packet
    const letters = JSON.parse(text) as unknown[]
    for (let at = 0; at < letters.length; at += 3) {
      const id = letters[at] as number
      if (id === NEWS) {
        this.news.tell(letters[at + 2] as Notice)
        continue
      }
      const pending = this.#pending.get(id)
      this.#pending.delete(id)
      if (letters[at + 1] === 0) pending?.resolve(letters[at + 2] as never, { bytes, pages })
      else pending?.reject(errorOf(letters[at + 2] as ErrorBody))
    }
    this.#rest()
  }

  #rest(): void {
    if (this.#pending.size > 0) return
    this.#hold()
    this.#idle?.()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().finally(this.#unregister)
    return this.#closing
  }

  async #close(): Promise<void> {
    const members = [...this.#members]
    for (const member of members) member.end()
    this.#members.clear()
    this.#holders.clear()
    this.#ending = true
    this.attend()
    this.#flushReads()
    this.#flushWrites()
    this.#handle.stopBackups()
    // Who waited may have something to give back that it was just given.
    if (members.length > 0) await nextTurn()
    while (this.#pending.size > 0) {
      await new Promise<void>((resolve) => (this.#idle = resolve))
      if (members.length > 0) await nextTurn()
    }
    this.#idle = undefined
    this.#open = false
    Lifetime.end(this)
    const id = this.#nextId++
    const closed = this.#expect(id, () => undefined)
    this.#handle.close(id)
    await closed
    this.#handle.release()
  }
}

export function closed(): KvError {
  return new KvError(
    "CLOSED",
    'this Kv is closed: close() was called, and it takes no calls since; await what still needs it first, such as listener.stop({ timeout: "30s" })',
  )
}

/** As long as this no limit is near. */
const SHORT_PART_UNITS = 256
const FEW_PARTS = 20

/**
 * A copy of a key, which throws while the caller is on the stack if it is none: Rust encodes it only at the end of the tick. One of few short
 * parts needs no look by Rust, so that most keys cost nothing here.
 */
function checkedKey(key: KvKey, place: string): KvKey {
  const made: unknown = isList(key) && key.length > 0 && key.length <= FEW_PARTS && key.constructor
  if (made !== Array) return lookedAt(key, place)
  const copy = key.slice()
  for (let at = 0; at < copy.length; at++) {
    const part = copy[at]
    const isShort = typeof part === "string" ? part.length <= SHORT_PART_UNITS : typeof part === "number"
    if (!isShort && typeof part !== "boolean") return lookedAt(key, place)
  }
  return copy
}

function lookedAt(key: KvKey, place: string): KvKey {
  const copy = copyKey(key)
  callNative((addon) => addon.encodeKey(copy), place)
  return copy
}

function settle(waiting: readonly Waiting[], entries: readonly KvEntryMaybe[]): void {
  let first = 0
  for (const { count, single, resolve } of waiting) {
    resolve((single ? entries[first] : entries.slice(first, first + count)) as never)
    first += count
  }
}

function errorOf({ code, message, unknown }: ErrorBody): KvError {
  return new KvError(code, message, unknown ? { outcome: "unknown" } : {})
}
