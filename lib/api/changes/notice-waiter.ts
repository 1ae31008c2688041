/** Waiting for news of the store. A notice says that a look is worth it; one that comes during a look is kept. */

import type { Bridge, Member } from "../../native/bridge.js"
import { KvError } from "../../shared/errors.js"
import { after } from "../../shared/host.js"
import { LONGEST_RETRY_MS, RETRY_MS, report } from "../../shared/subscription.js"

type OnError = ((error: unknown) => void) | undefined

export class Attention implements Member {
  readonly #bridge: Bridge
  readonly #onClose: (() => void) | undefined
  #noticed = false
  #ended = false
  #wake: (() => void) | undefined
  #endPause: (() => void) | undefined

  /** `onClose` is called when the `Kv` is being closed, while it can still be written. */
  constructor(bridge: Bridge, onClose?: () => void) {
    this.#bridge = bridge
    this.#onClose = onClose
    bridge.join(this)
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Resolves at the next notice, at once if one came since the last time, or at the end. False: it is the end. */
  async wait(): Promise<boolean> {
    if (!this.#noticed && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#noticed = false
    return !this.#ended
  }

  /** Waits for so long, or until the end. */
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

  notice(): void {
    this.#noticed = true
    this.#wake?.()
  }

  end(): void {
    this.#onClose?.()
    this.leave()
  }

  leave(): void {
    this.#ended = true
    this.#bridge.news.alarms.delete(this)
    this.#bridge.leave(this)
    this.#wake?.()
    this.#endPause?.()
  }
}

/**
 * Calls until no error comes that may pass, each wait longer than the one before; each error is reported.
 * Rejects with any other, and with the last one when the attention, asked for at the first of them, has ended.
 * An unknown outcome is tried again too: what is called can be called twice.
 */
export async function persist<R>(
  call: () => Promise<R>,
  listen: () => Attention,
  onError: OnError,
): Promise<R> {
  for (let failures = 0; ; failures++) {
    try {
      return await call()
    } catch (error) {
      if (!mayPass(error)) throw error
      report(onError, "the change log cannot be read", error)
      const attention = listen()
      await attention.pause(Math.min(RETRY_MS * 2 ** failures, LONGEST_RETRY_MS))
      if (attention.ended) throw error
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof KvError && (error.retryable || error.outcome === "unknown")
}
