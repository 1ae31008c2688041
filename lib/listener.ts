/**
 * A listener of a queue. JavaScript pulls: it claims messages for its free slots, and what its handlers have ended meanwhile
 * is settled in the same commit. Rust extends the leases; it never calls a handler.
 */

import type { KvListenOptions, KvMessage, KvSubscription } from "../index.js"
import type { Bridge, Waiter } from "./bridge.js"
import { takeCallback, takeOptionalCallback } from "./callbacks.js"
import { corrupt, describe, KvError } from "./errors.js"
import { microtask, sleep } from "./host.js"
import { MAX_CONCURRENCY } from "./limits.js"
import { callNative, DONE, ELSEWHERE, FAILED, QUEUE, RETURNED, TIME } from "./native.js"
import { flag, takeOptions, wholeNumber } from "./options.js"
import { DAMAGED, type Parcel, readParts } from "./page.js"
import type { Receipts } from "./receipts.js"
import { RETRY_MS, report, Subscription } from "./subscription.js"

const OPTIONS: readonly (keyof KvListenOptions)[] = [
  "queue",
  "concurrency",
  "autoAck",
  "lockDuration",
  "onError",
]
export const DEFAULT_QUEUE = "default"

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
): KvSubscription {
  const bound = takeCallback(handler as Handler, "handler")
  const listener = new Listener(bridge, receipts, bound, settingsOf(options))
  return new Subscription(listener, listener.finished)
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

class Listener implements Waiter {
  readonly reasons = QUEUE | ELSEWHERE | TIME
  readonly finished: Promise<void>
  readonly #bridge: Bridge
  readonly #receipts: Receipts
  readonly #handler: Handler
  readonly #settings: Settings
  #finish: () => void = () => {}
  #closed = false
  #running = 0
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
    this.#schedule()
  }

  get closed(): boolean {
    return this.#closed
  }

  stop(): void {
    this.#closed = true
    this.#bridge.letGo(this)
    this.#rest()
  }

  /** What was handled is told while there is still a way. */
  end(): void {
    this.stop()
    this.#work()
  }

  notice(): void {
    if (this.#closed || this.#working) this.#again = true
    else this.#look()
  }

  /** Claims if the queue has something to do; else asks to be woken when it has. */
  #look(): void {
    if (this.#free === 0) return
    try {
      const due = this.#bridge.askJson<number | null>((handle, id) =>
        handle.queueDue(this.#settings.queue, id),
      )
      if (due instanceof Promise) due.then((ms) => this.#plan(ms)).catch(() => this.#schedule())
      else this.#plan(due)
    } catch {
      // The claim meets the same error, and tells it.
      this.#schedule()
    }
  }

  #plan(dueMs: number | null): void {
    if (dueMs === null || this.#closed) return
    this.#bridge.ended((handle) => (dueMs <= handle.now() ? this.#schedule() : handle.wakeAt(dueMs)))
  }

  get #free(): number {
    return this.#closed ? 0 : this.#settings.concurrency - this.#running
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
    const [free, settled] = [this.#free, this.#settled]
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
      this.#running++
      microtask(() => this.#begin(claimed))
    }
    if (more) this.#again = true
    this.#plan(dueMs)
  }

  #worked(): void {
    this.#working = false
    if (this.#again || this.#settled.length > 0) this.#schedule()
    else this.#rest()
  }

  async #failed(error: unknown, settled: readonly Settled[]): Promise<void> {
    const isOver = error instanceof KvError && error.code === "CLOSED"
    const mayPass = error instanceof KvError && error.retryable
    if (!isOver) report(this.#settings.onError, "a queue cannot be read", error)
    if (mayPass) {
      this.#settled = [...settled, ...this.#settled]
      await sleep(RETRY_MS)
    } else {
      this.#closed = true
      this.#settled = []
      this.#bridge.letGo(this)
    }
    this.#working = false
    this.#schedule()
  }

  /** The handler of another one of them may have stopped it meanwhile. */
  #begin(claimed: Claimed): void {
    if (!this.#closed) {
      void this.#handle(claimed)
      return
    }
    this.#running--
    this.#settled.push({ id: claimed.id, lease: claimed.lease, end: RETURNED, error: "" })
    this.#schedule()
  }

  async #handle({ id, lease, attempts, value }: Claimed): Promise<void> {
    this.#receipts.add(id, lease)
    const message = { id, value, attempts } as KvMessage<never>
    let failure: Settled | undefined
    try {
      if (value === DAMAGED) throw corrupt("the stored value of the message is damaged")
      await this.#handler(message)
    } catch (error) {
      failure = { id, lease, end: FAILED, error: errorText(error) }
      report(
        this.#settings.onError,
        `a message of the queue ${describe(this.#settings.queue)} failed`,
        error,
        message,
      )
    }
    this.#running--
    // One that was acknowledged by hand has no receipt any more.
    if (this.#receipts.end(id, lease)) {
      if (failure === undefined && !this.#settings.autoAck) {
        this.#receipts.keep(id, lease)
        this.#bridge.ended((handle) => handle.rest(id, lease))
      } else this.#settled.push(failure ?? { id, lease, end: DONE, error: "" })
    }
    this.#schedule()
  }

  /** Lets go when nothing of it runs any more: until then the leases are to be extended. */
  #rest(): void {
    if (!this.#closed || this.#running > 0 || this.#working || this.#settled.length > 0) return
    this.#bridge.leave(this)
    this.#finish()
  }
}
