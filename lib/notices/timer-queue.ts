/** Times that somebody waits for. The store is asked to wake at the earliest of them alone. */

import { TIME } from "../native/addon.js"
import type { Bridge } from "../native/bridge.js"

export interface Sleeper {
  /** Its time has come; it may be early. */
  notice(): void
}

interface Alarm {
  atMs: number
  sleeper: Sleeper
}

/** Alarms that were replaced stay in the heap until their time; beyond this many it is made anew without them. */
const FEW_ALARMS = 64

export class Alarms {
  readonly #bridge: Bridge
  readonly #times = new Map<Sleeper, number>()
  /** A binary heap, the earliest first. Of a sleeper only the alarm counts that is its time. */
  #heap: Alarm[] = []
  /** The store was asked to wake then. */
  #askedMs = Infinity

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  get reasons(): number {
    return this.#times.size > 0 ? TIME : 0
  }

  /** Wakes at a time, once; of several the earliest counts. */
  set(sleeper: Sleeper, atMs: number): void {
    if ((this.#times.get(sleeper) ?? Infinity) <= atMs) return
    this.#times.set(sleeper, atMs)
    if (this.#times.size === 1) this.#bridge.attend()
    if (this.#heap.length > 2 * this.#times.size + FEW_ALARMS) this.#sift()
    else this.#push({ atMs, sleeper })
    this.#ask()
  }

  delete(sleeper: Sleeper): void {
    this.#times.delete(sleeper)
  }

  /** The store says that a time has come: it asks once for all, and is asked again. */
  ring(): void {
    this.#askedMs = Infinity
    this.#bridge.ended((handle) => {
      const nowMs = handle.now()
      const due: Sleeper[] = []
      while ((this.#heap[0]?.atMs ?? Infinity) <= nowMs) {
        const { atMs, sleeper } = this.#pop()
        if (this.#times.get(sleeper) !== atMs) continue
        this.#times.delete(sleeper)
        due.push(sleeper)
      }
      for (const sleeper of due) sleeper.notice()
      this.#ask()
    })
  }

  #ask(): void {
    const atMs = this.#heap[0]?.atMs ?? Infinity
    if (atMs >= this.#askedMs) return
    this.#askedMs = atMs
    this.#bridge.ended((handle) => handle.wakeAt(atMs))
  }

  /** A sorted array is a heap. */
  #sift(): void {
    this.#heap = Array.from(this.#times, ([sleeper, atMs]) => ({ atMs, sleeper }))
    this.#heap.sort((a, b) => a.atMs - b.atMs)
  }

  #push(alarm: Alarm): void {
    const heap = this.#heap
    let at = heap.length
    for (let parent = (at - 1) >> 1; at > 0; at = parent, parent = (at - 1) >> 1) {
      const above = heap[parent] as Alarm
      if (above.atMs <= alarm.atMs) break
      heap[at] = above
    }
    heap[at] = alarm
  }

  #pop(): Alarm {
    const heap = this.#heap
    const [first, last] = [heap[0] as Alarm, heap.pop() as Alarm]
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && (heap[child + 1] as Alarm).atMs < (heap[child] as Alarm).atMs) child++
      const below = heap[child] as Alarm
      if (below.atMs >= last.atMs) break
      heap[at] = below
      at = child
    }
    heap[at] = last
    return first
  }
}
