/**
 * Transactions that conflict over one key are retried one after another, so that they do not conflict again.
 */

import { after } from "../../shared/host.js"

/** The longest turn: the transaction in it may wait for another one that waits for its own turn. */
const MAX_TURN_MS = 1000

export class ConflictQueue {
  /** Resolves at the end of the last turn that was asked for, by name. */
  readonly #last = new Map<string, Promise<void>>()

  /** Waits for a turn; what it returns ends it. */
  async take(name: string): Promise<() => void> {
    const before = this.#last.get(name)
    let end = () => {}
    const over = new Promise<void>((resolve) => (end = resolve))
    this.#last.set(name, over)
    await before
    const cancel = after(MAX_TURN_MS, end)
    return () => {
      cancel()
      end()
      if (this.#last.get(name) === over) this.#last.delete(name)
    }
  }
}
