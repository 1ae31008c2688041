/**
 * One `Kv`'s way to Rust. Reads and writes of one tick are gathered and cross together; completions come back as one
 * text after each group; what is pending keeps the process alive.
 */

import type { KvEntryMaybe, KvErrorCode, KvKey } from "../index.js"
import { KvError } from "./errors.js"
import { copyKey } from "./keys.js"
import { fromNative, type NativeHandle, type NativeScan, native, type Packet } from "./native.js"
import type { KvSettings } from "./options.js"
import { finish, type Page, parsePage, readPacket } from "./page.js"

interface Pending {
  resolve(body: never, mail: Mail): void
  reject(error: unknown): void
}

/** What came with the letters. */
interface Mail {
  bytes: Uint8Array | undefined
  pages: readonly string[]
}

/** A `get` (its key) or a `getMany` (its keys) of this tick. */
interface Waiting {
  keys: readonly KvKey[]
  single: boolean
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

export class Bridge {
  readonly #handle: NativeHandle
  readonly #pending = new Map<number, Pending>()
  #waiting: Waiting[] = []
  #waitingKeys = 0
  #nextId = 1
  #staged = false
  #turn = ENTRIES_A_TURN
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(settings: KvSettings) {
    const { url, durability, busyTimeout, sweepInterval, changeLog, retention } = settings
    const wake = () => this.#drain()
    try {
      this.#handle = new native.Handle(
        url,
        durability,
        busyTimeout,
        sweepInterval,
        changeLog,
        retention,
        wake,
      )
    } catch (error) {
      throw fromNative(error)
    }
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Throws if it is closed. */
  get handle(): NativeHandle {
    if (this.#closing !== undefined) throw new KvError("CLOSED", "this Kv is closed")
    return this.#handle
  }

  /** Reads a key, with the others of this tick. */
  get<T>(key: KvKey): Promise<KvEntryMaybe<T>> {
    return this.#read([key], true) as Promise<KvEntryMaybe<T>>
  }

  /** Reads keys from one snapshot, with the others of this tick. */
  getMany<T>(keys: readonly KvKey[]): Promise<KvEntryMaybe<T>[]> {
    return this.#read(keys, false) as Promise<KvEntryMaybe<T>[]>
  }

  #read(keys: readonly KvKey[], single: boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let copies: KvKey[]
      try {
        copies = this.#addKeys(keys, single)
      } catch (error) {
        reject(error)
        return
      }
      if (this.#waiting.push({ keys: copies, single, resolve, reject }) === 1) this.#scheduleReads()
    })
  }

  /** All or none, so that the keys in Rust stay those of `#waiting`. */
  #addKeys(keys: readonly KvKey[], single: boolean): KvKey[] {
    const { handle } = this
    const copies: KvKey[] = []
    try {
      for (const key of keys) {
        handle.readKey(key)
        copies.push(copyKey(key))
      }
    } catch (error) {
      handle.truncateReads(this.#waitingKeys)
      throw fromNative(error, single ? "" : `keys[${copies.length}]: `)
    }
    this.#waitingKeys += copies.length
    return copies
  }

  #scheduleReads(): void {
    if (this.#turn > 0) {
      queueMicrotask(() => this.#flushReads())
      return
    }
    this.#turn = ENTRIES_A_TURN
    setImmediate(() => this.#flushReads())
  }

  #flushReads(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    this.#waitingKeys = 0
    this.#answer(waiting)
  }

  /** Answers the keys that were handed to Rust for these. */
  #answer(waiting: Waiting[]): void {
    const id = this.#nextId++
    try {
      const packet = this.#handle.readBatch(id)
      if (packet !== undefined) {
        this.#settle(waiting, readPacket(packet))
        return
      }
    } catch (error) {
      this.#refuse(waiting, fromNative(error))
      return
    }
    this.#expectPage(id).then(
      (page) => this.#settle(waiting, page),
      (error) => this.#refuse(waiting, error),
    )
  }

  /** One of several met something that cannot be read: each is read alone, so that the others get their answers. */
  #refuse(waiting: Waiting[], error: unknown): void {
    if (waiting.length === 1 || this.closed) {
      for (const { reject } of waiting) reject(error)
      return
    }
    this.#flushReads()
    for (const one of waiting) {
      for (const key of one.keys) this.#handle.readKey(key)
      this.#answer([one])
    }
  }

  #settle(waiting: Waiting[], { entries }: Page): void {
    this.#turn -= entries.length
    let at = 0
    for (const { keys, single, resolve } of waiting) {
      const first = at
      for (const key of keys) (entries[at++] as KvEntryMaybe).key = key
      resolve((single ? entries[first] : entries.slice(first, at)) as never)
    }
  }

  /** A page of a list. Synchronous unless it takes long or the event loop is due a turn. */
  page(scan: NativeScan, limit: number): Page | Promise<Page> {
    if (this.#turn <= 0) {
      this.#turn = ENTRIES_A_TURN
      return new Promise((resolve) => setImmediate(resolve)).then(() => this.page(scan, limit))
    }
    const id = this.#nextId++
    let packet: Packet
    try {
      packet = this.handle.scanPage(scan, limit, id)
    } catch (error) {
      throw fromNative(error)
    }
    if (packet === undefined) return this.#expectPage(id)
    const page = readPacket(packet)
    this.#turn -= page.entries.length
    return page
  }

  #expectPage(id: number): Promise<Page> {
    return this.#expect(id, ([base, page]: [number, number], { bytes, pages }) =>
      finish(parsePage(pages[page] as string), bytes, base),
    )
  }

  /** Stages a write: `stage` makes the calls that hand it to Rust under `id`. It crosses with the others of this tick. */
  write<B, R>(stage: (handle: NativeHandle, id: number) => void, read: (body: B) => R): Promise<R> {
    const id = this.#nextId++
    try {
      stage(this.handle, id)
    } catch (error) {
      return Promise.reject(fromNative(error))
    }
    if (!this.#staged) {
      this.#staged = true
      queueMicrotask(() => this.#flushWrites())
    }
    return this.#expect(id, read)
  }

  /** Calls something that is done when it returns. */
  now<R>(work: (handle: NativeHandle) => R): R {
    try {
      return work(this.handle)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** Calls something whose completion comes by mail. */
  call<B>(start: (handle: NativeHandle, id: number) => void): Promise<B> {
    const id = this.#nextId++
    try {
      start(this.handle, id)
    } catch (error) {
      return Promise.reject(fromNative(error))
    }
    return this.#expect(id, (body: B) => body)
  }

  #flushWrites(): void {
    this.#staged = false
    this.#handle.flush()
  }

  #expect<B, R>(id: number, read: (body: B, mail: Mail) => R): Promise<R> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) this.#handle.hold(true)
      this.#pending.set(id, {
        resolve: (body: B, mail) => {
          try {
            resolve(read(body, mail))
          } catch (error) {
            reject(error)
          }
        },
        reject,
      } as Pending)
    })
  }

  #drain(): void {
    const packet = this.#handle.drain()
    if (packet === undefined) return
    const [text, bytes, ...pages] = typeof packet === "string" ? [packet] : packet
    const letters = JSON.parse(text) as unknown[]
    for (let at = 0; at < letters.length; at += 3) {
      const id = letters[at] as number
      const pending = this.#pending.get(id)
      this.#pending.delete(id)
      if (letters[at + 1] === 0) pending?.resolve(letters[at + 2] as never, { bytes, pages })
      else pending?.reject(errorOf(letters[at + 2] as ErrorBody))
    }
    this.#rest()
  }

  #rest(): void {
    if (this.#pending.size > 0) return
    this.#handle.hold(false)
    this.#idle?.()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#flushReads()
    this.#flushWrites()
    this.#handle.stopBackups()
    if (this.#pending.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    this.#idle = undefined
    const id = this.#nextId++
    const closed = this.#expect(id, () => undefined)
    this.#handle.close(id)
    await closed
    this.#handle.release()
  }
}

function errorOf({ code, message, unknown }: ErrorBody): KvError {
  return new KvError(code, message, unknown ? { outcome: "unknown" } : {})
}
