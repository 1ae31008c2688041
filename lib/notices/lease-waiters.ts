/**
 * Loops of consumers that wait for a lease which another reader holds, by the consumer's name. When it may be free one of them is
 * woken, not all. Who is woken looks; who then stops waiting, with the lease or without it, wakes the next, so that one of those who
 * wait has always looked until when it is held.
 */

import { ELSEWHERE, LEASE, WAITS_FOR_LEASE } from "../native/addon.js"
import type { Bridge } from "../native/bridge.js"
import type { Alarms, Sleeper } from "./timer-queue.js"

/** Those who wait for one lease. */
class Waiting implements Sleeper {
  /** Who has waited for longest since it was woken is first. */
  readonly sleepers = new Set<Sleeper>()

  /** The lease may be free. */
  notice(): void {
    const [first] = this.sleepers
    if (first === undefined) return
    this.sleepers.delete(first)
    this.sleepers.add(first)
    first.notice()
  }
}

export class Leases {
  readonly #bridge: Bridge
  readonly #alarms: Alarms
  readonly #onLeft: () => void
  readonly #waiting = new Map<string, Waiting>()

  /** `onLeft` is called when nobody waits for one of the names any more. */
  constructor(bridge: Bridge, alarms: Alarms, onLeft: () => void) {
    this.#bridge = bridge
    this.#alarms = alarms
    this.#onLeft = onLeft
  }

  get reasons(): number {
    return this.#waiting.size > 0 ? LEASE | ELSEWHERE : 0
  }

  /** From now on it may be woken, until what this returns is called. */
  wait(name: string, sleeper: Sleeper): () => void {
    let waiting = this.#waiting.get(name)
    if (waiting === undefined) {
      waiting = new Waiting()
      this.#bridge.now((handle) => handle.waitFor(WAITS_FOR_LEASE, name))
      this.#waiting.set(name, waiting)
      this.#bridge.attend()
    }
    waiting.sleepers.add(sleeper)
    return () => this.#leave(name, sleeper)
  }

  #leave(name: string, sleeper: Sleeper): void {
    const waiting = this.#waiting.get(name)
    if (!waiting?.sleepers.delete(sleeper)) return
    if (waiting.sleepers.size > 0) {
      waiting.notice()
      return
    }
    this.#waiting.delete(name)
    this.#alarms.delete(waiting)
    this.#bridge.ended((handle) => handle.waitNoMore(WAITS_FOR_LEASE, name))
    this.#onLeft()
  }

  /** The lease of a consumer was given back. */
  call(name: string): void {
    this.#waiting.get(name)?.notice()
  }

  /** A look has found until when it is held. */
  plan(name: string, untilMs: number): void {
    const waiting = this.#waiting.get(name)
    if (waiting !== undefined) this.#alarms.set(waiting, untilMs)
  }

  /** One look at all of them has found until when it is held. */
  due(name: string, untilMs: number, nowMs: number): void {
    if (untilMs <= nowMs) this.call(name)
    else this.plan(name, untilMs)
  }

  /** Nobody knows which of them are free. */
  callAll(): void {
    for (const waiting of this.#waiting.values()) waiting.notice()
  }
}
