/** Who waits for news of the store, by what they wait for: a notice costs as much as it concerns, however many wait. */

import { CHANGES, ELSEWHERE, TIME } from "../native/addon.js"
import type { Bridge } from "../native/bridge.js"
import { Followers } from "./change-subscribers.js"
import { Leases } from "./lease-waiters.js"
import { Alarms, type Sleeper } from "./timer-queue.js"
import { Lines } from "./worker-pools.js"

/** Reasons to look, and the names of what they are of, as they come by mail. */
export type Notice = [reasons: number, queues: (string | number)[], consumers: string[]]

/** Names and times, in turns. */
type Dues = (string | number)[]

export class News implements Sleeper {
  readonly alarms: Alarms
  readonly followers: Followers
  readonly lines: Lines
  readonly leases: Leases
  readonly #bridge: Bridge
  #looking = false
  #again = false

  constructor(bridge: Bridge) {
    this.#bridge = bridge
    this.alarms = new Alarms(bridge)
    this.followers = new Followers(bridge)
    const left = () => this.#left()
    this.lines = new Lines(bridge, this.alarms, left)
    this.leases = new Leases(bridge, this.alarms, left)
  }

  /** The last of those who wait for queues and leases leaves no look behind. */
  #left(): void {
    if (!this.#named) this.alarms.delete(this)
    this.#bridge.attend()
  }

  /** What any of them waits for. */
  get reasons(): number {
    return this.#named | this.followers.reasons | this.alarms.reasons
  }

  get #named(): number {
    return this.lines.reasons | this.leases.reasons
  }

  tell([reasons, queues, consumers]: Notice): void {
    if (reasons & (CHANGES | ELSEWHERE) && this.followers.reasons) this.followers.notice()
    each(queues, (queue, messages) => this.lines.call(queue, messages))
    for (const name of consumers) this.leases.call(name)
    if (reasons & TIME) this.alarms.ring()
    if (reasons & ELSEWHERE) this.notice()
  }

  /** Another process has committed something: one question tells which queues and leases it concerns. */
  notice(): void {
    if (!this.#named) return
    if (this.#looking) this.#again = true
    else void this.#look()
  }

  async #look(): Promise<void> {
    this.#looking = true
    do {
      this.#again = false
      try {
        await this.#askDues()
      } catch {
        // Whoever is called meets the same error, and tells it.
        if (this.#bridge.closed) break
        this.lines.callAll()
        this.leases.callAll()
      }
    } while (this.#again && this.#named)
    this.#looking = false
  }

  async #askDues(): Promise<void> {
    const dues = this.#bridge.askJson<[queues: Dues, consumers: Dues, againMs: number | null]>((handle, id) =>
      handle.dues(id),
    )
    const [queues, consumers, againMs] = dues instanceof Promise ? await dues : dues
    if (againMs !== null && this.#named) this.alarms.set(this, againMs)
    const nowMs = this.#bridge.now((handle) => handle.now())
    each(queues, (queue, dueMs) => this.lines.due(queue, dueMs, nowMs))
    each(consumers, (name, untilMs) => this.leases.due(name, untilMs, nowMs))
  }
}

function each(pairs: readonly (string | number)[], call: (name: string, number: number) => void): void {
  for (let at = 0; at < pairs.length; at += 2) call(pairs[at] as string, pairs[at + 1] as number)
}
