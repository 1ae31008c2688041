/** Waiting for news of the store. A notice says that a look is worth it; one that comes during a look is kept. */

import type { Bridge } from "./bridge.js"
import type { Waiter } from "./waiters.js"

export class Attention implements Waiter {
  readonly reasons: number
  readonly #bridge: Bridge
  readonly #onClose: (() => void) | undefined
  #noticed = false
  #ended = false
  #wake: (() => void) | undefined

  /** `onClose` is called when the `Kv` is being closed, while it can still be written. */
  constructor(bridge: Bridge, reasons: number, onClose?: () => void) {
    this.reasons = reasons
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
    this.#bridge.leave(this)
    this.#wake?.()
  }
}
