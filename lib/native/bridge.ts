/**
 * One `Kv`'s connection to Rust: pending calls, keeping the process alive, and closing. Completions come back
 * as one text after each group; writes of one tick cross together.
 */

import type { KvErrorCode } from "../../index.js"
import type { Notice } from "../notices/store.js"
import { outside } from "../shared/callbacks.js"
import { closed, KvError, type SystemSource, systemError } from "../shared/errors.js"
import { microtask, nextTurn } from "../shared/host.js"
import type { KvSettings } from "../shared/options.js"
import { Answer, beneath, originOf } from "../shared/stacks.js"
import type { Running } from "../transport.js"
import { type Packet, type Parcel, parcelOf } from "../wire/page.js"
import { fromNative, type NativeHandle, native } from "./addon.js"
import { EventLoopBudget } from "./event-loop-budget.js"
import { Lifetime } from "./lifetime.js"
import { refuseOtherCopy, register } from "./open-files.js"

/** Reads an answer: as JSON, or as a page. `request` is the question. */
export type AnswerReader<Asked, Given> =
  | { body(body: never, request: Asked): Given }
  | { page(parcel: Parcel, request: Asked): Given }

/** The callbacks of a bridge. */
export interface BridgeOwner {
  /** The reasons of notices that are waited for. */
  readonly reasons: number
  dispatch(notice: Notice): void
  /** The last moment to read. */
  onClosing(): void
}

interface Pending {
  answer: Answer<unknown>
  reader: AnswerReader<unknown, unknown>
  request: unknown
}

/** The bytes and pages of the mail. */
interface Mail {
  bytes: Uint8Array | undefined
  pages: readonly string[]
}

interface ErrorBody {
  code: KvErrorCode
  message: string
  unknown: boolean
  source?: SystemSource
}

/** The id under which notices come. */
const NOTICE = 0

export class Bridge {
  readonly budget = new EventLoopBudget()
  readonly #owner: BridgeOwner
  readonly #handle: NativeHandle
  /** The mailbox to take from: when it is woken, the handle may be gone. */
  readonly #mailbox: number
  readonly #lifetime = new Lifetime(this)
  readonly #unregister: () => void
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #staged = false
  #closing: Promise<void> | undefined
  #onIdle: (() => void) | undefined
  readonly #running = new Set<Running>()
  /** Those of them that keep the process alive. */
  readonly #holders = new Set<Running>()
  /** The reasons for notices that were last passed to the addon. */
  #reasons = 0
  /** No notice is waited for any more. */
  #ending = false
  #holding = false
  /** The addon's side is open: operations in progress may still be ended. */
  #open = true

  constructor(settings: KvSettings, owner: BridgeOwner) {
    this.#owner = owner
    const wake = Lifetime.wakeOf(this.#lifetime)
    try {
      refuseOtherCopy(settings)
      this.#handle = outside(() => new native.Handle(settings, wake))
    } catch (error) {
      throw fromNative(error)
    }
    this.#mailbox = this.#handle.mailboxNumber
    this.#unregister = register(settings)
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

  /** Also while operations in progress are being ended. Throws after that. */
  get handleWhileClosing(): NativeHandle {
    if (!this.#open) throw closed()
    return this.#handle
  }

  /** The next one to ask under. */
  nextId(): number {
    return this.#nextId++
  }

  /** Sends the writes staged in this tick at its end. */
  scheduleFlush(): void {
    if (this.#staged) return
    this.#staged = true
    microtask(this.#flushWrites)
  }

  /** Asks something whose answer comes at once or by mail. */
  ask<Asked, Given>(
    start: (handle: NativeHandle, id: number, request: Asked) => Packet,
    request: Asked,
    reader: AnswerReader<Asked, Given>,
  ): Given | Promise<Given> {
    const id = this.#nextId++
    let packet: Packet
    try {
      packet = start(this.handle, id, request)
    } catch (error) {
      return Promise.reject(beneath(fromNative(error), this.ask))
    }
    if (packet === undefined) return this.expect(id, request, reader)
    if ("page" in reader) return reader.page(parcelOf(packet), request)
    return reader.body(JSON.parse(packet as string) as never, request)
  }

  /** Calls something that is done when it returns. */
  callSync<R>(work: (handle: NativeHandle) => R): R {
    try {
      return work(this.handle)
    } catch (error) {
      throw beneath(fromNative(error), this.callSync)
    }
  }

  /** The same while operations in progress are being ended; after that it calls nothing. */
  callWhileClosing<R>(work: (handle: NativeHandle) => R): R | undefined {
    return this.#open ? work(this.#handle) : undefined
  }

  readonly #flushWrites = (): void => {
    this.#staged = false
    this.#handle.flush()
  }

  /** An answer that comes by mail. */
  expect<Asked, Given>(id: number, request: Asked, reader: AnswerReader<Asked, Given>): Promise<Given> {
    const answer = new Answer<Given>(originOf(false))
    this.#pending.set(id, { answer, reader, request } as Pending)
    if (this.#pending.size === 1) this.#hold()
    return answer.promise
  }

  attach(running: Running): void {
    if (this.#closing !== undefined) throw closed()
    this.#running.add(running)
    this.#holders.add(running)
    this.#hold()
  }

  unref(running: Running): void {
    if (this.#holders.delete(running) && this.#open) this.#hold()
  }

  detach(running: Running): void {
    this.#holders.delete(running)
    if (this.#running.delete(running)) this.updateReasons()
  }

  /** The awaited reasons may have changed. */
  updateReasons(): void {
    if (!this.#open) return
    const reasons = this.#ending ? 0 : this.#owner.reasons
    if (reasons !== this.#reasons) this.#handle.setNoticeReasons(reasons)
    this.#reasons = reasons
    this.#hold()
  }

  #hold(): void {
    const holds = this.#pending.size > 0 || this.#holders.size > 0
    if (holds !== this.#holding) this.#handle.hold(holds)
    this.#holding = holds
    this.#lifetime.run(holds || this.#running.size > 0 ? this : undefined)
  }

  /** Takes the mail. */
  drain(): void {
    const packet = native.drain(this.#mailbox)
    if (packet === undefined) return
    const [text, bytes, ...pages] = typeof packet === "string" ? [packet] : packet
    const letters = JSON.parse(text) as unknown[]
    for (let at = 0; at < letters.length; at += 3) {
      const id = letters[at] as number
      if (id === NOTICE) {
        this.#owner.dispatch(letters[at + 2] as Notice)
        continue
      }
      const pending = this.#pending.get(id)
      this.#pending.delete(id)
      if (pending === undefined) continue
      if (letters[at + 1] === 0) settle(pending, letters[at + 2] as never, { bytes, pages })
      else pending.answer.reject(errorOf(letters[at + 2] as ErrorBody))
    }
    if (this.#pending.size > 0) return
    this.#hold()
    this.#onIdle?.()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().finally(this.#unregister)
    return this.#closing
  }

  async #close(): Promise<void> {
    const running = [...this.#running]
    for (const one of running) one.end()
    this.#running.clear()
    this.#holders.clear()
    this.#ending = true
    this.updateReasons()
    this.#owner.onClosing()
    this.#flushWrites()
    this.#handle.backupStopAll()
    // An ended listener may have to give back messages that it has just received.
    if (running.length > 0) await nextTurn()
    while (this.#pending.size > 0) {
      await new Promise<void>((resolve) => (this.#onIdle = resolve))
      if (running.length > 0) await nextTurn()
    }
    this.#onIdle = undefined
    this.#open = false
    Lifetime.end(this)
    const id = this.#nextId++
    const ended = this.expect(id, undefined, { body: () => undefined })
    this.#handle.close(id)
    await ended
    this.#handle.release()
  }
}

function settle({ answer, reader, request }: Pending, body: never, mail: Mail): void {
  try {
    answer.resolve("page" in reader ? reader.page(parcelIn(mail, body), request) : reader.body(body, request))
  } catch (error) {
    answer.reject(error)
  }
}

/** A page that came by mail: `[base, number]`, where its bytes begin and which page it is. */
function parcelIn({ bytes, pages }: Mail, [base, number]: readonly [number, number]): Parcel {
  return { text: pages[number] as string, bytes, base }
}

function errorOf({ code, message, unknown, source }: ErrorBody): KvError {
  return new KvError(code, message, {
    ...(unknown ? { outcome: "unknown" } : {}),
    ...(source === undefined ? {} : { cause: systemError(source) }),
  })
}
