/**
 * Loops of consumers that wait for a lease of another reader, by the consumer's name. When it may be free,
 * one of them is woken, not all. The woken loop looks; when it stops waiting, with the lease or without it,
 * it wakes the next one, so that one of the waiting loops always knows the end of the lease.
 */

import type { LeaseSubscription, Waiter } from "../transport.js"
import { NOTICE_ELSEWHERE, NOTICE_LEASE, WAIT_LEASE } from "../wire/codes.js"
import type { NoticeStore } from "./store.js"
import type { TimerQueue } from "./timer-queue.js"

/** The waiters for one lease. */
class WaitersOfLease implements Waiter {
  /** The one that has waited longest since it was woken is first. */
  readonly waiters = new Set<Waiter>()

  /** The lease may be free. */
  notice(): void {
    const [first] = this.waiters
    if (first === undefined) return
    this.waiters.delete(first)
    this.waiters.add(first)
    first.notice()
  }
}

export class LeaseWaiters {
  readonly #store: NoticeStore
  readonly #timers: TimerQueue
  readonly #onEmpty: () => void
  readonly #leases = new Map<string, WaitersOfLease>()

  /** `onEmpty` is called when none of the leases is awaited any more. */
  constructor(store: NoticeStore, timers: TimerQueue, onEmpty: () => void) {
    this.#store = store
    this.#timers = timers
    this.#onEmpty = onEmpty
  }

  get reasons(): number {
    return this.#leases.size > 0 ? NOTICE_LEASE | NOTICE_ELSEWHERE : 0
  }

  subscribe(name: string, waiter: Waiter): LeaseSubscription {
    let lease = this.#leases.get(name)
    if (lease === undefined) {
      lease = new WaitersOfLease()
      this.#store.waitFor(WAIT_LEASE, name)
      this.#leases.set(name, lease)
      this.#store.updateReasons()
    }
    lease.waiters.add(waiter)
    return {
      wakeAt: (untilMs) => this.wakeAt(name, untilMs),
      unsubscribe: () => this.#unsubscribe(name, waiter),
    }
  }

  #unsubscribe(name: string, waiter: Waiter): void {
    const lease = this.#leases.get(name)
    if (!lease?.waiters.delete(waiter)) return
    if (lease.waiters.size > 0) {
      lease.notice()
      return
    }
    this.#leases.delete(name)
    this.#timers.delete(lease)
    this.#store.stopWaitingFor(WAIT_LEASE, name)
    this.#onEmpty()
  }

  /** The lease of a consumer was given back. */
  wake(name: string): void {
    this.#leases.get(name)?.notice()
  }

  /** A look has found the end of the lease. */
  wakeAt(name: string, untilMs: number): void {
    const lease = this.#leases.get(name)
    if (lease !== undefined) this.#timers.set(lease, untilMs)
  }

  /** A look at all leases has found the end of this one. */
  due(name: string, untilMs: number, nowMs: number): void {
    if (untilMs <= nowMs) this.wake(name)
    else this.wakeAt(name, untilMs)
  }

  /** It is unknown which of them are free. */
  wakeAll(): void {
    for (const lease of this.#leases.values()) lease.notice()
  }
}
