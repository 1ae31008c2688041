/** Whoever follows keys in the change log: watches, live feeds, loops of consumers. The log is looked at once for all of them. */

import { CHANGES, ELSEWHERE } from "../native/addon.js"
import type { Bridge } from "../native/bridge.js"
import { nextTurn, sleep } from "../shared/host.js"
import { RETRY_MS } from "../shared/subscription.js"

export interface Follower {
  /** There is more for it in the log than it has read. */
  notice(): void
}

export class Followers {
  readonly #bridge: Bridge
  readonly #followers = new Map<number, Follower>()
  #looking = false
  #again = false

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  get reasons(): number {
    return this.#followers.size > 0 ? CHANGES | ELSEWHERE : 0
  }

  /** Under the number that Rust knows it by. */
  add(id: number, follower: Follower): void {
    this.#followers.set(id, follower)
    if (this.#followers.size === 1) this.#bridge.attend()
  }

  delete(id: number): void {
    if (this.#followers.delete(id) && this.#followers.size === 0) this.#bridge.attend()
  }

  /** The log may have grown. */
  notice(): void {
    if (this.#looking) this.#again = true
    else void this.#look()
  }

  async #look(): Promise<void> {
    this.#looking = true
    do {
      this.#again = false
      try {
        if (!(await this.#wake())) continue
        await nextTurn()
      } catch {
        // Whoever is woken meets the same error, and tells it; what was to be looked at is looked at later.
        if (this.#bridge.closed) break
        for (const follower of this.#followers.values()) follower.notice()
        await sleep(RETRY_MS)
      }
      this.#again = true
    } while (this.#again && this.#followers.size > 0)
    this.#looking = false
  }

  /** Wakes those whom changes concern; true if not all changes were looked at. */
  async #wake(): Promise<boolean> {
    const news = this.#bridge.askJson<number[]>((handle, id) => handle.watchNews(id))
    const [more, ...ids] = news instanceof Promise ? await news : news
    for (const id of ids) this.#followers.get(id)?.notice()
    return more === 1
  }
}
