/** Transactions that conflict over one key come back one after another, and so do not conflict again. */

import { after } from "../../shared/host.js"

/** The longest that a turn lasts: what runs in it may wait for another one that waits for its turn. */
const MAX_TURN_MS = 1000

export class ConflictQueue {
  /** When the last turn that was asked for is over, by name. */
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
