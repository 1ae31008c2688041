/**
 * Passes the store's notices to the waiters that they concern: the cost of a notice depends on those alone.
 */

import { CoalescedTask } from "../shared/coalesced-task.js"
import type { Waiter } from "../transport.js"
import { NOTICE_CHANGES, NOTICE_ELSEWHERE, NOTICE_TIME } from "../wire/codes.js"
import { ChangeSubscribers } from "./change-subscribers.js"
import { LeaseWaiters } from "./lease-waiters.js"
import type { Notice, NoticeStore, Pairs } from "./store.js"
import { TimerQueue } from "./timer-queue.js"
import { WorkerPools } from "./worker-pools.js"

export class NoticeDispatcher implements Waiter {
  readonly timers: TimerQueue
  readonly changes: ChangeSubscribers
  readonly queues: WorkerPools
  readonly leases: LeaseWaiters
  readonly #store: NoticeStore
  /** One question finds the queues and leases that a commit of another process concerns. */
  readonly #looks = new CoalescedTask(
    () => this.#look(),
    () => this.#namedReasons !== 0 && !this.#store.closed,
  )

  constructor(store: NoticeStore) {
    this.#store = store
    this.timers = new TimerQueue(store)
    this.changes = new ChangeSubscribers(store)
    const onEmpty = () => this.#onEmpty()
    this.queues = new WorkerPools(store, this.timers, onEmpty)
    this.leases = new LeaseWaiters(store, this.timers, onEmpty)
  }

  /** When the last waiter for queues and leases leaves, no look is left behind. */
  #onEmpty(): void {
    if (this.#namedReasons === 0) this.timers.delete(this)
    this.#store.updateReasons()
  }

  /** The reasons that any subscriber waits for. */
  get reasons(): number {
    return this.#namedReasons | this.changes.reasons | this.timers.reasons
  }

  get #namedReasons(): number {
    return this.queues.reasons | this.leases.reasons
  }

  dispatch([reasons, queues, consumers]: Notice): void {
    if (reasons & (NOTICE_CHANGES | NOTICE_ELSEWHERE) && this.changes.reasons) this.changes.notice()
    forEachPair(queues, (queue, messages) => this.queues.wake(queue, messages))
    for (const name of consumers) this.leases.wake(name)
    if (reasons & NOTICE_TIME) this.timers.fire()
    if (reasons & NOTICE_ELSEWHERE) this.notice()
  }

  /** Another process has committed something. */
  notice(): void {
    if (this.#namedReasons !== 0) this.#looks.request()
  }

  async #look(): Promise<boolean> {
    try {
      await this.#askDues()
    } catch {
      // Each woken waiter gets the same error, and reports it.
      if (this.#store.closed) return false
      this.queues.wakeAll()
      this.leases.wakeAll()
    }
    return false
  }

  async #askDues(): Promise<void> {
    const dues = this.#store.dues()
    const [queues, consumers, againMs] = dues instanceof Promise ? await dues : dues
    if (againMs !== null && this.#namedReasons !== 0) this.timers.set(this, againMs)
    const nowMs = this.#store.now()
    forEachPair(queues, (queue, dueMs) => this.queues.due(queue, dueMs, nowMs))
    forEachPair(consumers, (name, untilMs) => this.leases.due(name, untilMs, nowMs))
  }
}

function forEachPair(pairs: Pairs, call: (name: string, number: number) => void): void {
  for (let at = 0; at < pairs.length; at += 2) call(pairs[at] as string, pairs[at + 1] as number)
}
