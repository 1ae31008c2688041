/**
 * A listener of a queue. JavaScript pulls: it claims messages for its free slots, and what its handlers have ended meanwhile
 * is settled in the same commit. Rust extends the leases; it never calls a handler.
 */

import type { KvListener, KvListenOptions, KvMessage, KvStopOptions } from "../../../index.js"
import { callNative, DONE, FAILED, RELEASED, RETURNED, UNREADABLE } from "../../native/addon.js"
import type { Bridge, Member } from "../../native/bridge.js"
import type { Line, Worker } from "../../notices/worker-pools.js"
import { takeCallback, takeOptionalCallback } from "../../shared/callbacks.js"
import { corrupt, describe, KvError } from "../../shared/errors.js"
import { after, microtask } from "../../shared/host.js"
import { MAX_CONCURRENCY } from "../../shared/limits.js"
import { flag, isPlain, takeOptions, wholeNumber } from "../../shared/options.js"
import { LONGEST_RETRY_MS, RETRY_MS, report } from "../../shared/subscription.js"
import { DAMAGED, type Parcel, readParts } from "../../wire/page.js"
import type { Receipts } from "./message-leases.js"

const OPTIONS: readonly (keyof KvListenOptions)[] = [
  "queue",
  "concurrency",
  "autoAck",
  "lockDuration",
  "onError",
]
export const DEFAULT_QUEUE = "default"

/** Attempts to settle what was handled, once the listener is stopped; then the leases run out. */
const LAST_ATTEMPTS = 4

interface Claimed {
  id: string
  lease: number
  attempts: number
  value: unknown
}

/** An attempt that has ended and is still to be told. */
interface Settled {
  id: string
  lease: number
  end: number
  error: string
}

type Tail = [more: boolean, dueMs: number | null, lost: number[]]

type Handler = (message: KvMessage<never>) => unknown

interface Settings {
  queue: string
  concurrency: number
  autoAck: boolean
  lockMs: number
  onError: KvListenOptions["onError"]
}

function settingsOf(options?: KvListenOptions): Settings {
  const {
    queue = DEFAULT_QUEUE,
    concurrency = 1,
    autoAck,
    lockDuration = "30s",
    onError,
  } = takeOptions<KvListenOptions>(options, OPTIONS)
  callNative((addon) => addon.checkQueue(queue))
  return {
    queue,
    concurrency: wholeNumber(concurrency, "concurrency", 1, MAX_CONCURRENCY),
    autoAck: autoAck === undefined || flag(autoAck, "autoAck"),
    lockMs: callNative((addon) => addon.leaseMs(lockDuration, "lockDuration")),
    onError: takeOptionalCallback(onError, "onError"),
  }
}

export function listen(
  bridge: Bridge,
  receipts: Receipts,
  handler: unknown,
  options?: KvListenOptions,
): KvListener {
  const bound = takeCallback(handler as Handler, "handler")
  return new ListenerHandle(new Listener(bridge, receipts, bound, settingsOf(options)))
}

/** What a caller holds of a listener. */
class ListenerHandle implements KvListener {
  readonly finished: Promise<void>
  readonly #listener: Listener

  constructor(listener: Listener) {
    this.#listener = listener
    this.finished = listener.finished
  }

  get closed(): boolean {
    return this.#listener.closed
  }

  stop(): void
  stop(options: KvStopOptions): Promise<void>
  stop(given?: KvStopOptions): Promise<void> | undefined {
    // It may be a callback, as of a signal.
    const options = isPlain(given) ? given : undefined
    const { timeout } = takeOptions<KvStopOptions>(options, ["timeout"])
    const ms = timeout === undefined ? undefined : callNative((addon) => addon.durationMs(timeout, "timeout"))
    this.#listener.stop()
    if (ms !== undefined) {
      const end = after(ms, () => this.#listener.giveBack())
      void this.finished.then(end)
    }
    // Without options nothing is returned: a handler that returns what it was given would wait for its own end.
    return options === undefined ? undefined : this.finished
  }

  [Symbol.dispose](): void {
    this.stop()
  }
}

/** What a handler threw, as a dead letter tells it. Whatever it is, this is a text. */
export function errorText(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : undefined
    return typeof message === "string" && message !== "" ? message : String(error)
  } catch {
    return "an error that has no text"
  }
}

class Listener implements Worker, Member {
  readonly finished: Promise<void>
  readonly #bridge: Bridge
  readonly #receipts: Receipts
  readonly #handler: Handler
  readonly #settings: Settings
  /** The listeners of the queue. */
  readonly #line: Line
  #finish: () => void = () => {}
  #closed = false
  /** Messages that are being handled, or are about to be. */
  readonly #running = new Set<Claimed>()
  /** Errors of the store, one after another. */
  #failures = 0
  /** Ends the pause after one of them. */
  #resume: (() => void) | undefined
  #settled: Settled[] = []
  /** A claim is under way; `#again`: there is a reason for another one. */
  #working = false
  #again = false
  #scheduled = false

  constructor(bridge: Bridge, receipts: Receipts, handler: Handler, settings: Settings) {
    this.#bridge = bridge
    this.#receipts = receipts
    this.#handler = handler
    this.#settings = settings
    this.finished = new Promise((resolve) => (this.#finish = resolve))
    bridge.join(this)
    this.#line = bridge.news.lines.join(settings.queue, this)
    this.#schedule()
  }

  get closed(): boolean {
    return this.#closed
  }

  stop(): void {
    if (!this.#closed) {
      this.#closed = true
      this.#line.stop(this)
    }
    this.#bridge.letGo(this)
    this.#resume?.()
    this.#rest()
  }

  /** What is still handled goes to the next listener, at once; how its handler ends does not matter any more. */
  giveBack(): void {
    for (const { id, lease } of this.#running)
      if (this.#receipts.end(id, lease)) this.#settled.push({ id, lease, end: RELEASED, error: "" })
    this.#running.clear()
    this.#schedule()
  }

  /** What was handled is told while there is still a way, and what is not is given back. */
  end(): void {
    this.stop()
    this.giveBack()
    this.#work()
  }

  look(): void {
    const { queue } = this.#settings
    try {
      const due = this.#bridge.askJson<number | null>((handle, id) => handle.queueDue(queue, id))
      if (due instanceof Promise) due.then((ms) => this.#looked(ms)).catch(() => this.#schedule())
      else this.#looked(due)
    } catch {
      // The claim meets the same error, and tells it.
      this.#schedule()
    }
  }

  #looked(dueMs: number | null): void {
    this.#plan(dueMs)
    this.#rest()
  }

  /** Claims if the queue has something to do now, or has another listener do it; else the line is woken when it has. */
  #plan(dueMs: number | null): void {
    if (dueMs === null) return
    this.#bridge.ended((handle) => {
      if (dueMs > handle.now()) this.#line.plan(dueMs)
      else if (this.free > 0) this.#schedule()
      else this.#line.call()
    })
  }

  get free(): number {
    return this.#closed ? 0 : this.#settings.concurrency - this.#running.size
  }

  /** At the end of this tick, with everything else that ended in it. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    microtask(() => {
      this.#scheduled = false
      this.#work()
    })
  }

  #work(): void {
    const [free, settled] = [this.free, this.#settled]
    if (this.#working) {
      this.#again = true
      return
    }
    if (free === 0 && settled.length === 0) {
      this.#rest()
      return
    }
    this.#settled = []
    this.#working = true
    this.#again = false
    if (free > 0) this.#line.claims(this)
    this.#ask(settled, free).then(
      () => this.#worked(),
      (error) => this.#failed(error, settled),
    )
  }

  #ask(settled: readonly Settled[], free: number): Promise<void> {
    const { queue, lockMs } = this.#settings
    return this.#bridge.writePage(
      (handle, id) => {
        for (const { id: message, lease, end, error } of settled) handle.settle(message, lease, end, error)
        handle.work(id, queue, free, lockMs)
      },
      (parcel) => this.#take(parcel),
    )
  }

  /** Begins a handler for each claimed message. After the end they are given back instead. */
  #take(parcel: Parcel): void {
    const { rows, tail } = readParts<Claimed, Tail>(parcel, 4, (parts, at) => {
      const [id, lease, attempts, value] = parts.slice(at, at + 4) as [string, number, number, unknown]
      return { id, lease, attempts, value }
    })
    if (this.#closed) {
      for (const { id, lease } of rows) this.#settled.push({ id, lease, end: RETURNED, error: "" })
      if (this.#settled.length > 0) this.#ask(this.#settled.splice(0), 0).catch(() => {})
      return
    }
    const [more, dueMs] = tail
    for (const claimed of rows) {
      this.#running.add(claimed)
      microtask(() => this.#begin(claimed))
    }
    if (more) this.#again = true
    this.#plan(dueMs)
  }

  #worked(): void {
    this.#working = false
    this.#failures = 0
    if (this.#again || this.#settled.length > 0) this.#schedule()
    else this.#rest()
  }

  async #failed(error: unknown, settled: readonly Settled[]): Promise<void> {
    this.#settled = [...settled, ...this.#settled]
    this.#failures++
    const isOver = error instanceof KvError && error.code === "CLOSED"
    if (isOver || (this.#closed && this.#failures > LAST_ATTEMPTS)) this.#giveUp()
    if (!isOver) {
      this.#line.call()
      report(this.#settings.onError, "a queue cannot be read", error)
      await this.#pause()
    }
    this.#working = false
    this.#schedule()
  }

  /** What was handled cannot be told: its leases run out. */
  #giveUp(): void {
    this.#closed = true
    for (const { id, lease } of this.#settled.splice(0))
      this.#bridge.ended((handle) => handle.rest(id, lease))
    this.#bridge.letGo(this)
  }

  /** Longer after each error; `stop` ends the first one early. */
  async #pause(): Promise<void> {
    if (this.#closed && this.#settled.length === 0) return
    await new Promise<void>((resolve) => {
      const end = after(Math.min(RETRY_MS * 2 ** (this.#failures - 1), LONGEST_RETRY_MS), resolve)
      this.#resume = () => {
        end()
        resolve()
      }
    })
    this.#resume = undefined
  }

  /** The handler of another one of them may have stopped it meanwhile. */
  #begin(claimed: Claimed): void {
    if (!this.#closed) {
      void this.#handle(claimed)
      return
    }
    this.#running.delete(claimed)
    this.#settled.push({ id: claimed.id, lease: claimed.lease, end: RETURNED, error: "" })
    this.#schedule()
  }

  async #handle(claimed: Claimed): Promise<void> {
    const { id, lease, attempts, value } = claimed
    this.#receipts.add(id, lease)
    const message = { id, value, attempts } as KvMessage<never>
    let failure: Settled | undefined
    try {
      if (value === DAMAGED) throw corrupt("the stored value of the message is damaged")
      await this.#handler(message)
    } catch (error) {
      failure = { id, lease, end: value === DAMAGED ? UNREADABLE : FAILED, error: errorText(error) }
      report(
        this.#settings.onError,
        `a message of the queue ${describe(this.#settings.queue)} failed`,
        error,
        message,
      )
    }
    this.#running.delete(claimed)
    // One that was acknowledged by hand has no receipt any more.
    if (this.#receipts.end(id, lease)) {
      if (failure === undefined && !this.#settings.autoAck) {
        this.#receipts.keep(id, lease)
        this.#bridge.ended((handle) => handle.rest(id, lease))
      } else this.#settled.push(failure ?? { id, lease, end: DONE, error: "" })
    }
    this.#schedule()
  }

  /** Waits to be called. A stopped one lets go when nothing of it runs any more: until then the leases are to be extended. */
  #rest(): void {
    if (this.#working || this.#settled.length > 0) return
    if (this.free > 0 && !this.#scheduled) this.#line.rest(this)
    if (!this.#closed || this.#running.size > 0) return
    this.#bridge.news.lines.leave(this.#line, this)
    this.#bridge.leave(this)
    this.#finish()
  }
}
