/** Subscriptions, which run until they are stopped: watches, listeners. */

import type { KvSubscription } from "../../index.js"
import { refuseOptions } from "./options.js"

/** The wait after a transient error of the store. */
export const RETRY_MS = 1000
/** The longest wait, if it doubles after each error. */
export const LONGEST_RETRY_MS = 30_000

export class Subscription implements KvSubscription {
  readonly finished: Promise<void>
  readonly #running: { readonly closed: boolean; stop(): void }

  constructor(running: { readonly closed: boolean; stop(): void }, finished: Promise<void>) {
    this.#running = running
    this.finished = finished
  }

  get closed(): boolean {
    return this.#running.closed
  }

  stop(...extra: unknown[]): void {
    refuseOptions(extra)
    this.#running.stop()
  }

  [Symbol.dispose](): void {
    this.stop()
  }
}

/** Passes an error to `onError`, or logs it; if `onError` itself fails, that is logged. */
export function report(
  onError: ((...args: never[]) => unknown) | undefined,
  what: string,
  ...args: unknown[]
): void {
  if (onError === undefined) {
    console.error(`@buntime/keyval: ${what}:`, ...args)
    return
  }
  const failed = (error: unknown) => console.error("@buntime/keyval: onError failed:", error)
  try {
    Promise.resolve((onError as (...args: unknown[]) => unknown)(...args)).catch(failed)
  } catch (error) {
    failed(error)
  }
}
