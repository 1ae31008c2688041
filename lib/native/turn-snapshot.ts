/** The snapshot that the reads of one turn of the event loop share. */

import { turn } from "../shared/host.js"
import type { Bridge } from "./bridge.js"

/**
 * Where reads come one a turn, this many of them pass before one is followed by a look at what else its turn
 * reads.
 */
const READS_A_LOOK = 16

/**
 * Beginning and ending a snapshot costs more than a read. Where many reads come in one turn of the event
 * loop, they keep one until the end of the turn; Rust begins another as soon as anybody has committed.
 */
export class TurnSnapshot {
  readonly #bridge: Bridge
  #reads = 0
  /** The reads of this turn are counted, until its end. */
  #counting = false
  /** The turn before had several. */
  #expected = false
  #kept = false

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  /** Called before each read. */
  count(): void {
    this.#reads++
    if (this.#counting) {
      if (!this.#kept) this.#keep()
    } else if (this.#expected || this.#reads >= READS_A_LOOK) {
      this.#counting = true
      this.#reads = 1
      if (this.#expected) this.#keep()
      turn(this.#endTurn)
    }
  }

  #keep(): void {
    this.#kept = true
    this.#bridge.callWhileClosing((handle) => handle.keepSnapshot())
  }

  readonly #endTurn = (): void => {
    if (this.#kept) this.#bridge.callWhileClosing((handle) => handle.releaseSnapshot())
    this.#kept = false
    this.#counting = false
    this.#expected = this.#reads > 1
    this.#reads = 0
  }
}
