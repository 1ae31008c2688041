/** Loops of consumers that wait for a lease which another reader holds, by the consumer's name. */

import type { Alarms, Sleeper } from "./alarms.js"
import type { Bridge } from "./bridge.js"
import { ELSEWHERE, LEASE, WAITS_FOR_LEASE } from "./native.js"

export class Leases {
  readonly #bridge: Bridge
  readonly #alarms: Alarms
  readonly #onLeft: () => void
  readonly #waiting = new Map<string, Set<Sleeper>>()

  /** `onLeft` is called when nobody waits for one of the names any more. */
  constructor(bridge: Bridge, alarms: Alarms, onLeft: () => void) {
    this.#bridge = bridge
    this.#alarms = alarms
    this.#onLeft = onLeft
  }

  get reasons(): number {
    return this.#waiting.size > 0 ? LEASE | ELSEWHERE : 0
  }

  /** From now on it is woken when the lease may be free, until what this returns is called. */
  wait(name: string, sleeper: Sleeper): () => void {
    let waiting = this.#waiting.get(name)
    if (waiting === undefined) {
      waiting = new Set()
      this.#bridge.now((handle) => handle.waitFor(WAITS_FOR_LEASE, name))
      this.#waiting.set(name, waiting)
      this.#bridge.attend()
    }
    waiting.add(sleeper)
    return () => this.#leave(name, sleeper)
  }

  #leave(name: string, sleeper: Sleeper): void {
    const waiting = this.#waiting.get(name)
    if (!waiting?.delete(sleeper) || waiting.size > 0) return
    this.#waiting.delete(name)
    this.#bridge.ended((handle) => handle.waitNoMore(WAITS_FOR_LEASE, name))
    this.#onLeft()
  }

  /** The lease of a consumer was given back. */
  call(name: string): void {
    for (const sleeper of this.#waiting.get(name) ?? []) sleeper.notice()
  }

  /** One look has found until when it is held. */
  due(name: string, untilMs: number, nowMs: number): void {
    if (untilMs <= nowMs) this.call(name)
    else for (const sleeper of this.#waiting.get(name) ?? []) this.#alarms.set(sleeper, untilMs)
  }

  /** Nobody knows which of them are free. */
  callAll(): void {
    for (const name of this.#waiting.keys()) this.call(name)
  }
}
