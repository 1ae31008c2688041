/** Watches, live feeds and loops of consumers: the change log is read once for all of them. */

import { CoalescedTask } from "../shared/coalesced-task.js"
import { nextTurn, sleep } from "../shared/host.js"
import { RETRY_MS } from "../shared/subscription.js"
import type { Waiter } from "../transport.js"
import { NOTICE_CHANGES, NOTICE_ELSEWHERE } from "../wire/codes.js"
import type { NoticeStore } from "./store.js"

export class ChangeSubscribers {
  readonly #store: NoticeStore
  readonly #subscribers = new Map<number, Waiter>()
  readonly #looks = new CoalescedTask(
    () => this.#look(),
    () => this.#subscribers.size > 0 && !this.#store.closed,
  )

  constructor(store: NoticeStore) {
    this.#store = store
  }

  get reasons(): number {
    return this.#subscribers.size > 0 ? NOTICE_CHANGES | NOTICE_ELSEWHERE : 0
  }

  /** Under the number that the store knows it by. */
  add(id: number, subscriber: Waiter): void {
    this.#subscribers.set(id, subscriber)
    if (this.#subscribers.size === 1) this.#store.updateReasons()
  }

  delete(id: number): void {
    if (this.#subscribers.delete(id) && this.#subscribers.size === 0) this.#store.updateReasons()
  }

  /** The log may have grown. */
  notice(): void {
    this.#looks.request()
  }

  /** True if not all changes were read. */
  async #look(): Promise<boolean> {
    try {
      if (!(await this.#wake())) return false
      await nextTurn()
    } catch {
      // Each woken subscriber gets the same error, and reports it; the changes are read later.
      if (this.#store.closed) return false
      for (const subscriber of this.#subscribers.values()) subscriber.notice()
      await sleep(RETRY_MS)
    }
    return true
  }

  /** Wakes the subscribers that new changes concern; true if not all changes were read. */
  async #wake(): Promise<boolean> {
    const changed = this.#store.changedSubscribers()
    const [more, ...ids] = changed instanceof Promise ? await changed : changed
    for (const id of ids) this.#subscribers.get(id)?.notice()
    return more === 1
  }
}
