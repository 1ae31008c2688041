/**
 * A listener of a queue. JavaScript pulls: it claims messages for its free slots, and settles the attempts
 * that have ended meanwhile in the same commit. Rust renews the leases; it never calls a handler.
 */

import type { KvListener, KvListenOptions, KvMessage, KvStopOptions } from "../../../index.js"
import { takeCallback, takeOptionalCallback } from "../../shared/callbacks.js"
import { corrupt, describe, errorText, KvError } from "../../shared/errors.js"
import { after, microtask } from "../../shared/host.js"
import { MAX_CONCURRENCY } from "../../shared/limits.js"
import { flag, isPlain, refuseOptions, takeOptions, wholeNumber } from "../../shared/options.js"
import { onAbort, type Signal, signalOf } from "../../shared/signal.js"
import { LONGEST_RETRY_MS, RETRY_MS, report } from "../../shared/subscription.js"
import type {
  ClaimedMessage,
  Core,
  QueueSubscription,
  QueueWorker,
  Running,
  Settlement,
  Transport,
  Writes,
} from "../../transport.js"
import type { MessageLeases } from "./message-leases.js"
import { DEFAULT_QUEUE } from "./queue.js"

const OPTIONS: readonly (keyof KvListenOptions)[] = [
  "queue",
  "concurrency",
  "autoAck",
  "lockDuration",
  "onError",
  "signal",
]

/** Attempts to settle handled messages once the listener is stopped; after that their leases run out. */
const LAST_ATTEMPTS = 4

type Handler = (message: KvMessage<never>) => unknown

interface Settings {
  queue: string
  concurrency: number
  autoAck: boolean
  lockMs: number
  onError: KvListenOptions["onError"]
  signal: Signal | undefined
}

function settingsOf({ core }: Transport, options?: KvListenOptions): Settings {
  const {
    queue = DEFAULT_QUEUE,
    concurrency = 1,
    autoAck,
    lockDuration = "30s",
    onError,
    signal,
  } = takeOptions<KvListenOptions>(options, OPTIONS)
  core.checkQueue(queue)
  return {
    queue,
    concurrency: wholeNumber(concurrency, "concurrency", 1, MAX_CONCURRENCY),
    autoAck: autoAck === undefined || flag(autoAck, "autoAck"),
    lockMs: core.leaseMs(lockDuration, "lockDuration"),
    onError: takeOptionalCallback(onError, "onError"),
    signal: signalOf(signal),
  }
}

export function listen(
  transport: Transport,
  leases: MessageLeases,
  handler: unknown,
  options?: KvListenOptions,
): KvListener {
  const bound = takeCallback(handler as Handler, "handler")
  return new ListenerHandle(
    transport.core,
    new Listener(transport, leases, bound, settingsOf(transport, options)),
  )
}

/** The handle that a caller gets. */
class ListenerHandle implements KvListener {
  readonly finished: Promise<void>
  readonly #core: Core
  readonly #listener: Listener

  constructor(core: Core, listener: Listener) {
    this.#core = core
    this.#listener = listener
    this.finished = listener.finished
  }

  get closed(): boolean {
    return this.#listener.closed
  }

  stop(): void
  stop(options: KvStopOptions): Promise<void>
  stop(given?: KvStopOptions, ...extra: unknown[]): Promise<void> | undefined {
    refuseOptions(extra)
    // `stop` may be a callback, for example of a signal.
    const options = isPlain(given) ? given : undefined
    const { timeout } = takeOptions<KvStopOptions>(options, ["timeout"])
    const ms = timeout === undefined ? undefined : this.#core.durationMs(timeout, "timeout")
    this.#listener.stop()
    if (ms !== undefined) {
      const end = after(ms, () => this.#listener.giveBack())
      void this.finished.then(end)
    }
    // Without options it returns nothing: a handler that returned the promise would wait for its own end.
    return options === undefined ? undefined : this.finished
  }

  [Symbol.dispose](): void {
    this.stop()
  }
}

class Listener implements QueueWorker, Running {
  readonly finished: Promise<void>
  readonly #transport: Transport
  readonly #leases: MessageLeases
  readonly #handler: Handler
  readonly #settings: Settings
  readonly #subscription: QueueSubscription
  #finish: () => void = () => {}
  readonly #endSignal: () => void
  #closed = false
  /** Messages that are being handled, or are about to be. */
  readonly #running = new Set<ClaimedMessage>()
  /** Consecutive errors of the store. */
  #failures = 0
  /** Ends the pause after one of them. */
  #resume: (() => void) | undefined
  #settled: Settlement[] = []
  /** A claim is under way; `#again`: there is a reason for another one. */
  #claiming = false
  #again = false
  #scheduled = false

  constructor(transport: Transport, leases: MessageLeases, handler: Handler, settings: Settings) {
    this.#transport = transport
    this.#leases = leases
    this.#handler = handler
    this.#settings = settings
    this.finished = new Promise((resolve) => (this.#finish = resolve))
    transport.attach(this)
    this.#subscription = transport.subscribe({ kind: "queue", queue: settings.queue }, this)
    this.#endSignal = onAbort(settings.signal, () => this.stop())
    this.#schedule()
  }

  get closed(): boolean {
    return this.#closed
  }

  stop(): void {
    if (!this.#closed) {
      this.#closed = true
      this.#endSignal()
      this.#subscription.stop()
    }
    this.#transport.unref(this)
    this.#resume?.()
    this.#onIdle()
  }

  /**
   * Messages in flight go to the next listener at once; the outcome of their handlers no longer counts.
   */
  giveBack(): void {
    for (const { id, lease } of this.#running)
      if (this.#leases.end(id, lease)) this.#settled.push(settlement(id, lease, "released"))
    this.#running.clear()
    this.#schedule()
  }

  /** Settles the handled messages while that is still possible, and gives back the rest. */
  end(): void {
    this.stop()
    this.giveBack()
    this.#claim()
  }

  look(): void {
    const { queue } = this.#settings
    try {
      const due = this.#transport.query({ kind: "queueDue", queue })
      if (due instanceof Promise) due.then((ms) => this.#looked(ms)).catch(() => this.#schedule())
      else this.#looked(due)
    } catch {
      // The claim gets the same error, and reports it.
      this.#schedule()
    }
  }

  #looked(dueMs: number | null): void {
    this.#plan(dueMs)
    this.#onIdle()
  }

  /**
   * Claims if the queue has something to do now, or wakes another listener; else waits to be woken.
   */
  #plan(dueMs: number | null): void {
    if (dueMs === null || this.#transport.closed) return
    if (dueMs > this.#transport.now()) this.#subscription.wakeAt(dueMs)
    else if (this.free > 0) this.#schedule()
    else this.#subscription.wakeNext()
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
      this.#claim()
    })
  }

  #claim(): void {
    const [free, settled] = [this.free, this.#settled]
    if (this.#claiming) {
      this.#again = true
      return
    }
    if (free === 0 && settled.length === 0) {
      this.#onIdle()
      return
    }
    this.#settled = []
    this.#claiming = true
    this.#again = false
    if (free > 0) this.#subscription.onClaim()
    this.#ask(settled, free).then(
      () => this.#claimed(),
      (error) => this.#failed(error, settled),
    )
  }

  async #ask(settled: readonly Settlement[], claim: number): Promise<void> {
    const { queue, lockMs } = this.#settings
    this.#take(await this.#transport.write({ kind: "queueClaim", queue, settled, claim, lockMs }))
  }

  /** Begins a handler for each claimed message. After the end they are given back instead. */
  #take({ messages, more, dueMs }: Writes["queueClaim"]["gives"]): void {
    if (this.#closed) {
      for (const { id, lease } of messages) this.#settled.push(settlement(id, lease, "returned"))
      if (this.#settled.length > 0) this.#ask(this.#settled.splice(0), 0).catch(() => {})
      return
    }
    for (const claimed of messages) {
      this.#running.add(claimed)
      microtask(() => this.#begin(claimed))
    }
    if (more) this.#again = true
    this.#plan(dueMs)
  }

  #claimed(): void {
    this.#claiming = false
    this.#failures = 0
    if (this.#again || this.#settled.length > 0) this.#schedule()
    else this.#onIdle()
  }

  async #failed(error: unknown, settled: readonly Settlement[]): Promise<void> {
    this.#settled = [...settled, ...this.#settled]
    this.#failures++
    const isOver = error instanceof KvError && error.code === "CLOSED"
    if (isOver || (this.#closed && this.#failures > LAST_ATTEMPTS)) this.#giveUp()
    if (!isOver) {
      this.#subscription.wakeNext()
      report(this.#settings.onError, "a queue cannot be read", error)
      await this.#pause()
    }
    this.#claiming = false
    this.#schedule()
  }

  /** The handled messages cannot be settled: their leases run out. */
  #giveUp(): void {
    this.#closed = true
    for (const { message, lease } of this.#settled.splice(0)) this.#transport.stopRenewing(message, lease)
    this.#transport.unref(this)
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

  /** The handler of an earlier message may have stopped the listener. */
  #begin(claimed: ClaimedMessage): void {
    if (!this.#closed) {
      void this.#handle(claimed)
      return
    }
    this.#running.delete(claimed)
    this.#settled.push(settlement(claimed.id, claimed.lease, "returned"))
    this.#schedule()
  }

  async #handle(claimed: ClaimedMessage): Promise<void> {
    const { id, lease, attempts, value } = claimed
    this.#leases.add(id, lease)
    const message = { id, value, attempts } as KvMessage<never>
    const isDamaged = !Object.hasOwn(claimed, "value")
    let failure: Settlement | undefined
    try {
      if (isDamaged) throw corrupt("the stored value of the message is damaged")
      await this.#handler(message)
    } catch (error) {
      failure = settlement(id, lease, isDamaged ? "unreadable" : "failed", errorText(error))
      report(
        this.#settings.onError,
        `a message of the queue ${describe(this.#settings.queue)} failed`,
        error,
        message,
      )
    }
    this.#running.delete(claimed)
    // A message acknowledged by hand no longer has a lease here.
    if (this.#leases.end(id, lease)) {
      if (failure === undefined && !this.#settings.autoAck) {
        this.#leases.keep(id, lease)
        this.#transport.stopRenewing(id, lease)
      } else this.#settled.push(failure ?? settlement(id, lease, "done"))
    }
    this.#schedule()
  }

  /**
   * Waits to be woken. A stopped listener detaches only once none of its handlers runs: until then their
   * leases must be renewed.
   */
  #onIdle(): void {
    if (this.#claiming || this.#settled.length > 0) return
    if (this.free > 0 && !this.#scheduled) this.#subscription.onIdle()
    if (!this.#closed || this.#running.size > 0) return
    this.#subscription.unsubscribe()
    this.#transport.detach(this)
    this.#finish()
  }
}

function settlement(message: string, lease: number, end: Settlement["end"], error = ""): Settlement {
  return { message, lease, end, error }
}
