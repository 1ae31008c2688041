/** Who waits for news of the store, by what they wait for: a notice costs as much as it concerns, however many wait. */

import { CHANGES, ELSEWHERE, LEASE, QUEUE, TIME } from "./native.js"

/** Somebody who waits for news of the store, until `end` is called or it leaves. It keeps the process alive. */
export interface Waiter {
  /** Reasons to look (`native.ts`). */
  readonly reasons: number
  /** The queue whose messages are waited for, if `QUEUE` is one of the reasons. */
  readonly queue?: string
  /** There may be something to see. */
  notice(): void
  /** The `Kv` is being closed: the last moment to write. */
  end(): void
}

/** Reasons to look, and which queues they are of, as they come by mail. */
export type Notice = [reasons: number, ...queues: string[]]

const REASONS = [CHANGES, ELSEWHERE, TIME, LEASE]

export class Waiters {
  readonly #all = new Set<Waiter>()
  readonly #byReason = new Map(REASONS.map((reason) => [reason, new Set<Waiter>()]))
  readonly #byQueue = new Map<string, Set<Waiter>>()

  get size(): number {
    return this.#all.size
  }

  /** What any of them waits for. */
  get reasons(): number {
    let reasons = this.#byQueue.size > 0 ? QUEUE : 0
    for (const [reason, waiters] of this.#byReason) if (waiters.size > 0) reasons |= reason
    return reasons
  }

  add(waiter: Waiter): void {
    this.#all.add(waiter)
    for (const [reason, waiters] of this.#byReason) if (waiter.reasons & reason) waiters.add(waiter)
    if (waiter.queue === undefined) return
    const ofQueue = this.#byQueue.get(waiter.queue)
    if (ofQueue === undefined) this.#byQueue.set(waiter.queue, new Set([waiter]))
    else ofQueue.add(waiter)
  }

  delete(waiter: Waiter): boolean {
    for (const waiters of this.#byReason.values()) waiters.delete(waiter)
    if (waiter.queue !== undefined) {
      const ofQueue = this.#byQueue.get(waiter.queue)
      ofQueue?.delete(waiter)
      if (ofQueue?.size === 0) this.#byQueue.delete(waiter.queue)
    }
    return this.#all.delete(waiter)
  }

  clear(): void {
    for (const waiter of this.all()) this.delete(waiter)
  }

  all(): Waiter[] {
    return [...this.#all]
  }

  /** Those whom a notice concerns, each once. */
  concerned([reasons, ...queues]: Notice): Set<Waiter> {
    const concerned = new Set<Waiter>()
    for (const [reason, waiters] of this.#byReason)
      if (reasons & reason) for (const waiter of waiters) concerned.add(waiter)
    for (const queue of queues) for (const waiter of this.#byQueue.get(queue) ?? []) concerned.add(waiter)
    return concerned
  }
}
