/** The leases of messages that this `Kv` was given, by which they are acknowledged. */

import { DONE, FAILED, RELEASED } from "../../native/addon.js"
import type { Bridge } from "../../native/bridge.js"
import { describe, invalidArgument, KvError } from "../../shared/errors.js"
import { MAX_RECEIPTS } from "../../shared/limits.js"
import { refuseExtra, takeOptions } from "../../shared/options.js"
import { DEFAULT_QUEUE, errorText } from "./listener.js"

export class Receipts {
  readonly #bridge: Bridge
  /** Those whose handlers run. */
  readonly #running = new Map<string, number>()
  /** Those whose handlers have ended, and that wait to be acknowledged by hand. */
  readonly #rested = new Map<string, number>()

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  /** A handler begins. */
  add(id: string, lease: number): void {
    this.#rested.delete(id)
    this.#running.set(id, lease)
  }

  /** A handler has ended: takes its receipt, if the message was not settled by hand meanwhile. */
  end(id: string, lease: number): boolean {
    return this.#running.get(id) === lease && this.#running.delete(id)
  }

  /** Keeps a receipt for later. The oldest are forgotten first: nobody may ever ask for them. */
  keep(id: string, lease: number): void {
    this.#rested.delete(id)
    this.#rested.set(id, lease)
    if (this.#rested.size <= MAX_RECEIPTS) return
    for (const oldest of this.#rested.keys()) {
      this.#rested.delete(oldest)
      break
    }
  }

  /** The `Kv` is being closed: what its handlers left unacknowledged goes to the next listener, at once. */
  giveBack(): void {
    const rested = [...this.#rested]
    this.#rested.clear()
    if (rested.length === 0) return
    const given = this.#bridge.writePage(
      (handle, call) => {
        for (const [id, lease] of rested) handle.settle(id, lease, RELEASED, "")
        handle.work(call, DEFAULT_QUEUE, 0, 0)
      },
      () => undefined,
    )
    // If the store fails, their leases run out.
    given.catch(() => {})
  }

  #take(id: string): number | undefined {
    const lease = this.#running.get(id) ?? this.#rested.get(id)
    this.#running.delete(id)
    this.#rested.delete(id)
    return lease
  }

  async ack(id: unknown, extra: readonly unknown[]): Promise<void> {
    refuseExtra(extra)
    await this.#settle(id, DONE, "")
  }

  async nack(id: unknown, options: unknown, extra: readonly unknown[]): Promise<void> {
    refuseExtra(extra)
    const { error } = takeOptions<{ error?: unknown }>(options, ["error"])
    const text = error === undefined ? "the message was not acknowledged" : errorText(error)
    await this.#settle(id, FAILED, text)
  }

  /** An error of the store leaves the receipt, so that it can be tried again until the lease has run out. */
  async #settle(id: unknown, end: number, error: string): Promise<void> {
    if (typeof id !== "string") throw invalidArgument(`id: must be a string, got ${describe(id)}`)
    void this.#bridge.handle
    const lease = this.#take(id)
    if (lease === undefined)
      throw new KvError(
        "CONFLICT",
        "id: this Kv does not hold the message; it was settled, or never given to it",
      )
    try {
      await this.#bridge.write(
        (handle, call) => handle.settleNow(call, id, lease, end, error),
        () => this.#bridge.ended((handle) => handle.rest(id, lease)),
      )
    } catch (failure) {
      const isLost = failure instanceof KvError && ["CONFLICT", "CLOSED"].includes(failure.code)
      if (!isLost) this.keep(id, lease)
      this.#bridge.ended((handle) => handle.rest(id, lease))
      throw failure
    }
  }
}
