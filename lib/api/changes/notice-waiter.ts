/**
 * A loop that waits for notices. A notice says that it is worth looking; one during a look is kept.
 */

import { KvError } from "../../shared/errors.js"
import { after } from "../../shared/host.js"
import { LONGEST_RETRY_MS, RETRY_MS, report } from "../../shared/subscription.js"
import type { Running, TimeSubscription, Transport, Waiter } from "../../transport.js"

type OnError = ((error: unknown) => void) | undefined

export class NoticeWaiter implements Running, Waiter {
  readonly #transport: Transport
  readonly #onClose: (() => void) | undefined
  #noticed = false
  #ended = false
  #wake: (() => void) | undefined
  #endPause: (() => void) | undefined
  #timer: TimeSubscription | undefined

  /** `onClose` is called when the `Kv` is being closed, while it can still be written. */
  constructor(transport: Transport, onClose?: () => void) {
    this.#transport = transport
    this.#onClose = onClose
    transport.attach(this)
  }

  get ended(): boolean {
    return this.#ended
  }

  /**
   * Resolves at the next notice, at once if one came since the last call, or at the end. False: the end.
   */
  async wait(): Promise<boolean> {
    if (!this.#noticed && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#noticed = false
    return !this.#ended
  }

  /** Waits for a time, or until the end. */
  async pause(ms: number): Promise<void> {
    if (this.#ended) return
    await new Promise<void>((resolve) => {
      const cancel = after(ms, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
    this.#endPause = undefined
  }

  /** A notice comes at this time of the store at the latest. */
  wakeAt(atMs: number): void {
    this.#timer ??= this.#transport.subscribe({ kind: "time" }, this)
    this.#timer.wakeAt(atMs)
  }

  notice(): void {
    this.#noticed = true
    this.#wake?.()
  }

  end(): void {
    this.#onClose?.()
    this.detach()
  }

  detach(): void {
    this.#ended = true
    this.#timer?.unsubscribe()
    this.#transport.detach(this)
    this.#wake?.()
    this.#endPause?.()
  }
}

/**
 * Retries while errors are transient, with growing waits; each error is reported. Rejects with any other
 * error, and with the last one once the waiter (asked for at the first error) has ended. An unknown outcome
 * is retried, too: the call must be repeatable.
 */
export async function persist<R>(
  call: () => Promise<R>,
  waiterOf: () => NoticeWaiter,
  onError: OnError,
): Promise<R> {
  for (let failures = 0; ; failures++) {
    try {
      return await call()
    } catch (error) {
      if (!mayPass(error)) throw error
      report(onError, "the change log cannot be read", error)
      const waiter = waiterOf()
      await waiter.pause(Math.min(RETRY_MS * 2 ** failures, LONGEST_RETRY_MS))
      if (waiter.ended) throw error
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof KvError && (error.retryable || error.outcome === "unknown")
}
