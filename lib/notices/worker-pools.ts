/**
 * The listeners of each queue. A message calls one of them, not all. Whoever is called looks; who then has no slot left calls the
 * next if there is more, and so does who is stopped before it has looked, so that no call is lost.
 */

import { ELSEWHERE, QUEUE, WAITS_FOR_QUEUE } from "../native/addon.js"
import type { Bridge } from "../native/bridge.js"
import type { Alarms, Sleeper } from "./timer-queue.js"

/** A listener, as its line sees it. */
export interface Worker {
  /** Slots for messages. */
  readonly free: number
  /** Claims if the queue has something to do. In the end it rests, claims or calls the next. */
  look(): void
}

/** The listeners of one queue. */
export class Line implements Sleeper {
  readonly queue: string
  readonly #alarms: Alarms
  readonly #workers = new Set<Worker>()
  /** Those that have slots and do nothing: who has rested longest is first. */
  readonly #resting = new Set<Worker>()
  /** There was a call while nobody rested, and no claim has begun since. */
  #called = false

  constructor(queue: string, alarms: Alarms) {
    this.queue = queue
    this.#alarms = alarms
  }

  get size(): number {
    return this.#workers.size
  }

  add(worker: Worker): void {
    this.#workers.add(worker)
  }

  delete(worker: Worker): void {
    this.#workers.delete(worker)
  }

  /** It claims nothing any more; what it was called for is another's. */
  stop(worker: Worker): void {
    if (!this.#resting.delete(worker)) this.call()
  }

  /** There may be messages: as many slots look, where there are so many. */
  call(messages = 1): void {
    const called: Worker[] = []
    let left = messages
    for (const worker of this.#resting) {
      if (left <= 0) break
      called.push(worker)
      left -= worker.free
    }
    if (called.length === 0) this.#called = true
    for (const worker of called) this.#resting.delete(worker)
    for (const worker of called) worker.look()
  }

  /** The time of a message, or of a lease that runs out, has come. */
  notice(): void {
    this.call()
  }

  /** When there is something to do next. */
  plan(dueMs: number): void {
    this.#alarms.set(this, dueMs)
  }

  /** It has slots and nothing to do. */
  rest(worker: Worker): void {
    if (this.#called) {
      this.#called = false
      worker.look()
    } else this.#resting.add(worker)
  }

  /** It begins to claim, and sees whatever there was a call for. */
  claims(worker: Worker): void {
    this.#resting.delete(worker)
    this.#called = false
  }
}

/** All queues that are listened to. */
export class Lines {
  readonly #bridge: Bridge
  readonly #alarms: Alarms
  readonly #onLeft: () => void
  readonly #lines = new Map<string, Line>()

  /** `onLeft` is called when nobody waits for one of the names any more. */
  constructor(bridge: Bridge, alarms: Alarms, onLeft: () => void) {
    this.#bridge = bridge
    this.#alarms = alarms
    this.#onLeft = onLeft
  }

  get reasons(): number {
    return this.#lines.size > 0 ? QUEUE | ELSEWHERE : 0
  }

  /** Joins the line of a queue. */
  join(queue: string, worker: Worker): Line {
    let line = this.#lines.get(queue)
    if (line === undefined) {
      line = new Line(queue, this.#alarms)
      this.#bridge.now((handle) => handle.waitFor(WAITS_FOR_QUEUE, queue))
      this.#lines.set(queue, line)
      this.#bridge.attend()
    }
    line.add(worker)
    return line
  }

  leave(line: Line, worker: Worker): void {
    line.delete(worker)
    if (line.size > 0 || this.#lines.get(line.queue) !== line) return
    this.#lines.delete(line.queue)
    this.#alarms.delete(line)
    this.#bridge.ended((handle) => handle.waitNoMore(WAITS_FOR_QUEUE, line.queue))
    this.#onLeft()
  }

  /** This process has made messages of a queue ready. */
  call(queue: string, messages: number): void {
    this.#lines.get(queue)?.call(messages)
  }

  /** One look has found when a queue has something to do. */
  due(queue: string, dueMs: number, nowMs: number): void {
    const line = this.#lines.get(queue)
    if (dueMs <= nowMs) line?.call()
    else line?.plan(dueMs)
  }

  /** Nobody knows which of them have something to do. */
  callAll(): void {
    for (const line of this.#lines.values()) line.call()
  }
}
