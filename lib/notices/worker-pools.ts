/**
 * The listeners of each queue. A message wakes one of them, not all. The woken listener looks; if it then has
 * no free slot it wakes the next one if there is more, and so does one that is stopped before it has looked,
 * so that no call is lost.
 */

import type { QueueSubscription, QueueWorker, Waiter } from "../transport.js"
import { NOTICE_ELSEWHERE, NOTICE_QUEUE, WAIT_QUEUE } from "../wire/codes.js"
import type { NoticeStore } from "./store.js"
import type { TimerQueue } from "./timer-queue.js"

/** The listeners of one queue. */
export class WorkerPool implements Waiter {
  readonly queue: string
  readonly #timers: TimerQueue
  readonly #workers = new Set<QueueWorker>()
  /** Those that have slots and do nothing: the one that has been idle longest is first. */
  readonly #idle = new Set<QueueWorker>()
  /** There was a call while nobody was idle, and no claim has begun since. */
  #isCallPending = false

  constructor(queue: string, timers: TimerQueue) {
    this.queue = queue
    this.#timers = timers
  }

  get size(): number {
    return this.#workers.size
  }

  add(worker: QueueWorker): void {
    this.#workers.add(worker)
  }

  delete(worker: QueueWorker): void {
    this.#workers.delete(worker)
  }

  /** It claims nothing any more; what it was woken for is another's. */
  stop(worker: QueueWorker): void {
    if (!this.#idle.delete(worker)) this.wake()
  }

  /** There may be messages: as many slots look, where there are so many. */
  wake(messages = 1): void {
    const woken: QueueWorker[] = []
    let left = messages
    for (const worker of this.#idle) {
      if (left <= 0) break
      woken.push(worker)
      left -= worker.free
    }
    if (woken.length === 0) this.#isCallPending = true
    for (const worker of woken) this.#idle.delete(worker)
    for (const worker of woken) worker.look()
  }

  /** The time of a message, or of a lease that runs out, has come. */
  notice(): void {
    this.wake()
  }

  /** When there is something to do next. */
  wakeAt(dueMs: number): void {
    this.#timers.set(this, dueMs)
  }

  /** It has slots and nothing to do. */
  onIdle(worker: QueueWorker): void {
    if (this.#isCallPending) {
      this.#isCallPending = false
      worker.look()
    } else this.#idle.add(worker)
  }

  /** It begins to claim, and sees whatever there was a call for. */
  onClaim(worker: QueueWorker): void {
    this.#idle.delete(worker)
    this.#isCallPending = false
  }
}

/** All queues that have listeners. */
export class WorkerPools {
  readonly #store: NoticeStore
  readonly #timers: TimerQueue
  readonly #onEmpty: () => void
  readonly #pools = new Map<string, WorkerPool>()

  /** `onEmpty` is called when a queue has no listeners any more. */
  constructor(store: NoticeStore, timers: TimerQueue, onEmpty: () => void) {
    this.#store = store
    this.#timers = timers
    this.#onEmpty = onEmpty
  }

  get reasons(): number {
    return this.#pools.size > 0 ? NOTICE_QUEUE | NOTICE_ELSEWHERE : 0
  }

  subscribe(queue: string, worker: QueueWorker): QueueSubscription {
    const pool = this.#poolOf(queue)
    pool.add(worker)
    return {
      wakeNext: () => pool.wake(),
      wakeAt: (dueMs) => pool.wakeAt(dueMs),
      onIdle: () => pool.onIdle(worker),
      onClaim: () => pool.onClaim(worker),
      stop: () => pool.stop(worker),
      unsubscribe: () => this.#unsubscribe(pool, worker),
    }
  }

  #poolOf(queue: string): WorkerPool {
    const existing = this.#pools.get(queue)
    if (existing !== undefined) return existing
    const pool = new WorkerPool(queue, this.#timers)
    this.#store.waitFor(WAIT_QUEUE, queue)
    this.#pools.set(queue, pool)
    this.#store.updateReasons()
    return pool
  }

  #unsubscribe(pool: WorkerPool, worker: QueueWorker): void {
    pool.delete(worker)
    if (pool.size > 0 || this.#pools.get(pool.queue) !== pool) return
    this.#pools.delete(pool.queue)
    this.#timers.delete(pool)
    this.#store.stopWaitingFor(WAIT_QUEUE, pool.queue)
    this.#onEmpty()
  }

  /** This process has made messages of a queue ready. */
  wake(queue: string, messages: number): void {
    this.#pools.get(queue)?.wake(messages)
  }

  /** One look has found when a queue has something to do. */
  due(queue: string, dueMs: number, nowMs: number): void {
    const pool = this.#pools.get(queue)
    if (dueMs <= nowMs) pool?.wake()
    else pool?.wakeAt(dueMs)
  }

  /** Nobody knows which of them have something to do. */
  wakeAll(): void {
    for (const pool of this.#pools.values()) pool.wake()
  }
}
