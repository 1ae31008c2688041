/** The number of entries read before the event loop gets a turn. */

import { nextTurn } from "../shared/host.js"

/**
 * Reads are answered in microtasks, which starve timers and sockets for as long as they follow one another.
 * After this many entries the event loop gets a turn: at 4 µs each, about every 2 ms.
 */
const ENTRIES_A_TURN = 512
/**
 * The least count of a page of a search or a filtered list: it reads more entries than it returns.
 */
export const ENTRIES_A_QUESTION = 200

export class EventLoopBudget {
  #left = ENTRIES_A_TURN

  get isSpent(): boolean {
    return this.#left <= 0
  }

  consume(entries: number): void {
    this.#left -= entries
  }

  renew(): void {
    this.#left = ENTRIES_A_TURN
  }

  /** A promise if the event loop is due a turn before more entries are read. */
  yieldIfDue(): Promise<void> | undefined {
    if (this.#left > 0) return undefined
    this.#left = ENTRIES_A_TURN
    return nextTurn()
  }
}
