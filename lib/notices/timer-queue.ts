/** Awaited times. The store is asked to wake only at the earliest of them. */

import type { TimeSubscription, Waiter } from "../transport.js"
import { NOTICE_TIME } from "../wire/codes.js"
import type { NoticeStore } from "./store.js"

interface Timer {
  atMs: number
  waiter: Waiter
}

/**
 * Timers that were replaced stay in the heap until their time; beyond this many it is rebuilt without them.
 */
const FEW_TIMERS = 64

export class TimerQueue {
  readonly #store: NoticeStore
  readonly #times = new Map<Waiter, number>()
  /** A binary heap, the earliest first. Of a waiter only the timer counts that is its time. */
  #heap: Timer[] = []
  /** The time at which the store was asked to wake. */
  #askedMs = Infinity

  constructor(store: NoticeStore) {
    this.#store = store
  }

  get reasons(): number {
    return this.#times.size > 0 ? NOTICE_TIME : 0
  }

  /** Wakes at a time, once; of several the earliest counts. */
  set(waiter: Waiter, atMs: number): void {
    if ((this.#times.get(waiter) ?? Infinity) <= atMs) return
    this.#times.set(waiter, atMs)
    if (this.#times.size === 1) this.#store.updateReasons()
    if (this.#heap.length > 2 * this.#times.size + FEW_TIMERS) this.#rebuild()
    else this.#push({ atMs, waiter })
    this.#ask()
  }

  delete(waiter: Waiter): void {
    this.#times.delete(waiter)
  }

  subscribe(waiter: Waiter): TimeSubscription {
    return { wakeAt: (atMs) => this.set(waiter, atMs), unsubscribe: () => this.delete(waiter) }
  }

  /** The store says that a time has come. It does so once, and is asked again. */
  fire(): void {
    this.#askedMs = Infinity
    const nowMs = this.#store.timeWhileOpen()
    if (nowMs === undefined) return
    const due: Waiter[] = []
    while ((this.#heap[0]?.atMs ?? Infinity) <= nowMs) {
      const { atMs, waiter } = this.#pop()
      if (this.#times.get(waiter) !== atMs) continue
      this.#times.delete(waiter)
      due.push(waiter)
    }
    for (const waiter of due) waiter.notice()
    this.#ask()
  }

  #ask(): void {
    const atMs = this.#heap[0]?.atMs ?? Infinity
    if (atMs >= this.#askedMs) return
    this.#askedMs = atMs
    this.#store.wakeAt(atMs)
  }

  /** A sorted array is a heap. */
  #rebuild(): void {
    this.#heap = Array.from(this.#times, ([waiter, atMs]) => ({ atMs, waiter }))
    this.#heap.sort((a, b) => a.atMs - b.atMs)
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.length
    for (let parent = (at - 1) >> 1; at > 0; at = parent, parent = (at - 1) >> 1) {
      const above = heap[parent] as Timer
      if (above.atMs <= timer.atMs) break
      heap[at] = above
    }
    heap[at] = timer
  }

  #pop(): Timer {
    const heap = this.#heap
    const [first, last] = [heap[0] as Timer, heap.pop() as Timer]
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && (heap[child + 1] as Timer).atMs < (heap[child] as Timer).atMs) child++
      const below = heap[child] as Timer
      if (below.atMs >= last.atMs) break
      heap[at] = below
      at = child
    }
    heap[at] = last
    return first
  }
}
