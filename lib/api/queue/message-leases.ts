/** The leases of the messages delivered to this `Kv`, by which they are acknowledged. */

import { describe, errorText, invalidArgument, KvError } from "../../shared/errors.js"
import { MAX_RECEIPTS } from "../../shared/limits.js"
import { refuseExtra, takeOptions } from "../../shared/options.js"
import type { Settlement, Transport } from "../../transport.js"
import { DEFAULT_QUEUE } from "./queue.js"

export class MessageLeases {
  readonly #transport: Transport
  /** Those whose handlers run. */
  readonly #running = new Map<string, number>()
  /** Those whose handlers have ended, and that wait to be acknowledged by hand. */
  readonly #unacknowledged = new Map<string, number>()

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** A handler begins. */
  add(id: string, lease: number): void {
    this.#unacknowledged.delete(id)
    this.#running.set(id, lease)
  }

  /** A handler has ended: takes its lease, if the message was not settled by hand meanwhile. */
  end(id: string, lease: number): boolean {
    return this.#running.get(id) === lease && this.#running.delete(id)
  }

  /** Keeps a lease for later. The oldest are forgotten first: nobody may ever ask for them. */
  keep(id: string, lease: number): void {
    this.#unacknowledged.delete(id)
    this.#unacknowledged.set(id, lease)
    if (this.#unacknowledged.size <= MAX_RECEIPTS) return
    for (const oldest of this.#unacknowledged.keys()) {
      this.#unacknowledged.delete(oldest)
      break
    }
  }

  /**
   * The `Kv` is being closed: messages that its handlers left unacknowledged go to the next listener at once.
   */
  giveBack(): void {
    const settled = Array.from(
      this.#unacknowledged,
      ([message, lease]): Settlement => ({ message, lease, end: "released", error: "" }),
    )
    this.#unacknowledged.clear()
    if (settled.length === 0) return
    const request = { kind: "queueClaim", queue: DEFAULT_QUEUE, settled, claim: 0, lockMs: 0 } as const
    // If the store fails, their leases run out.
    this.#transport.write(request).catch(() => {})
  }

  #take(id: string): number | undefined {
    const lease = this.#running.get(id) ?? this.#unacknowledged.get(id)
    this.#running.delete(id)
    this.#unacknowledged.delete(id)
    return lease
  }

  async ack(id: unknown, extra: readonly unknown[]): Promise<void> {
    refuseExtra(extra)
    await this.#settle(id, "done", "")
  }

  async nack(id: unknown, options: unknown, extra: readonly unknown[]): Promise<void> {
    refuseExtra(extra)
    const { error } = takeOptions<{ error?: unknown }>(options, ["error"])
    const text = error === undefined ? "the message was not acknowledged" : errorText(error)
    await this.#settle(id, "failed", text)
  }

  /** An error of the store keeps the lease, so that the call can be retried until the lease has run out. */
  async #settle(id: unknown, end: Settlement["end"], error: string): Promise<void> {
    if (typeof id !== "string") throw invalidArgument(`id: must be a string, got ${describe(id)}`)
    this.#transport.checkOpen()
    const lease = this.#take(id)
    if (lease === undefined)
      throw new KvError(
        "CONFLICT",
        "id: this Kv does not hold the message; it was settled, or never given to it",
      )
    try {
      await this.#transport.write({ kind: "queueSettle", message: id, lease, end, error })
      this.#transport.stopRenewing(id, lease)
    } catch (failure) {
      const isLost = failure instanceof KvError && ["CONFLICT", "CLOSED"].includes(failure.code)
      if (!isLost) this.keep(id, lease)
      this.#transport.stopRenewing(id, lease)
      throw failure
    }
  }
}
