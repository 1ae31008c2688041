/** Consumers of the change feed: a stored position, which one lease holder at a time moves. */

import type { KvChange, KvConsumer, KvConsumerOptions, KvConsumerStatus, KvKey } from "../../../index.js"
import { takeOptionalCallback } from "../../shared/callbacks.js"
import { describe, invalidArgument, KvError, short } from "../../shared/errors.js"
import { copyKey } from "../../shared/keys.js"
import { isList } from "../../shared/kinds.js"
import { MAX_READ_CHANGES } from "../../shared/limits.js"
import { refuseExtra, takeOptions, wholeNumber } from "../../shared/options.js"
import { fromCaller, originOf } from "../../shared/stacks.js"
import type { ChangesReader, Transport } from "../../transport.js"
import { NoticeWaiter, persist } from "./notice-waiter.js"

const DEFAULT_READ_CHANGES = 100

/** The state of a lease holder. */
interface Hold {
  position: number
  prefix: KvKey
}

export class Consumer<T> implements KvConsumer<T> {
  readonly name: string
  readonly #transport: Transport
  readonly #prefix: KvKey | undefined
  readonly #leaseMs: number
  readonly #onError: KvConsumerOptions["onError"]
  /** The number of the lease that was taken last; 0: none. */
  #lease = 0
  /** Its position, as far as this holder knows. */
  #position = 0
  #taking: Promise<unknown> = Promise.resolve()
  /** The loop that has its turn: all loops of this object would hold the same lease. */
  #loop: Reading | undefined
  /** The loops that wait for their turn. */
  readonly #waiting = new Set<NoticeWaiter>()

  constructor(transport: Transport, name: string, options?: KvConsumerOptions) {
    const given = takeOptions<KvConsumerOptions>(options, ["prefix", "lease", "onError"])
    transport.core.checkConsumer(name)
    const { lease = "30s" } = given
    const prefix = copyKey(given.prefix)
    if (prefix !== undefined && !isList(prefix))
      throw invalidArgument(`prefix: must be an array of parts, got ${describe(prefix)}`)
    // Checks the prefix.
    transport.open({ kind: "changes", after: undefined, prefix })
    this.name = name
    this.#transport = transport
    this.#prefix = prefix
    this.#leaseMs = transport.core.leaseMs(lease, "lease")
    this.#onError = takeOptionalCallback(given.onError, "onError")
  }

  async read(limit: number = DEFAULT_READ_CHANGES, ...extra: unknown[]): Promise<KvChange<T>[]> {
    refuseExtra(extra)
    wholeNumber(limit, "limit", 1, MAX_READ_CHANGES)
    return fromCaller(this.#readOnce(limit))
  }

  async #readOnce(limit: number): Promise<KvChange<T>[]> {
    const hold = await this.#take(false)
    if (typeof hold === "number") throw this.#busy(hold)
    const reader = this.#open(hold)
    const changes: KvChange<T>[] = []
    for (let more = true; more && changes.length < limit; ) {
      const page = await reader.page<T>(limit - changes.length)
      changes.push(...page.changes)
      more = page.more
    }
    const { position = 0 } = reader
    if (changes.length === 0 && position > hold.position) await this.#pass(position)
    return changes
  }

  /** Changes of other keys need not be read again, nor be kept for this consumer. */
  async #pass(seq: number): Promise<void> {
    try {
      await this.commit(seq)
    } catch (error) {
      if (!(error instanceof KvError && error.code === "CONFLICT")) throw error
    }
  }

  #open({ position, prefix }: Hold): ChangesReader {
    return this.#transport.open({ kind: "changes", after: position, prefix })
  }

  #busy(untilMs: number): KvError {
    // Another program may have put a number there that is no date.
    const date = new Date(untilMs)
    const until = Number.isNaN(date.getTime()) ? `the time ${untilMs}` : date.toISOString()
    return new KvError(
      "BUSY",
      `consumer ${JSON.stringify(short(this.name))}: another reader holds its lease until ${until}`,
    )
  }

  /**
   * Takes or renews the lease; if another holds it, gives the end of that lease, a number. Calls run one
   * after another: the second of two uses the lease that the first has taken.
   */
  #take(isLoop: boolean): Promise<Hold | number> {
    const taking = this.#taking.then(() => this.#takeNow(isLoop))
    this.#taking = taking.catch(() => {})
    return taking
  }

  async #takeNow(isLoop: boolean): Promise<Hold | number> {
    const { name } = this
    const taken = await this.#transport.write({
      kind: "takeConsumer",
      name,
      prefix: this.#prefix,
      lease: this.#lease,
      leaseMs: this.#leaseMs,
      isLoop,
    })
    if (taken.lease === null) return taken.heldUntilMs
    const { lease, position, prefix } = taken
    this.#lease = lease
    this.#position = position
    return { position, prefix }
  }

  async commit(seq: number, ...extra: unknown[]): Promise<void> {
    refuseExtra(extra)
    wholeNumber(seq, "seq", 0, Number.MAX_SAFE_INTEGER)
    const [{ name }, lease, leaseMs] = [this, this.#lease, this.#leaseMs]
    await this.#transport.write({ kind: "commitConsumer", name, lease, leaseMs, seq })
    this.#position = seq
  }

  async status(...extra: unknown[]): Promise<KvConsumerStatus> {
    refuseExtra(extra)
    const { name } = this
    const { position, head, leaseExpiresAt } = await this.#transport.query({ kind: "consumerStatus", name })
    const held = leaseExpiresAt !== null
    return { name, position, head, lag: head - position, held, leaseExpiresAt }
  }

  async release(...extra: unknown[]): Promise<void> {
    refuseExtra(extra)
    const lease = this.#lease
    this.#lease = 0
    if (lease === 0) return
    await this.#transport.write({ kind: "releaseConsumer", name: this.name, lease })
  }

  async delete(...extra: unknown[]): Promise<{ ok: boolean }> {
    refuseExtra(extra)
    return this.#transport.write({ kind: "deleteConsumer", name: this.name })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#transport.closed) await this.release()
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<KvChange<T>, undefined> {
    const reading: Reading = { passed: undefined, renewAt: 0, waiter: undefined }
    const changes = this.#read(reading)
    // The origin of later errors: the call that began the loop.
    const origin = originOf(false)
    return {
      next: () => fromCaller(changes.next(), origin),
      return: () => {
        // A generator's own `return` waits behind a `next` that waits for changes.
        reading.waiter?.detach()
        return changes.return(undefined)
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  async *#read(reading: Reading): AsyncGenerator<KvChange<T>, undefined> {
    const waiter = new NoticeWaiter(this.#transport, () => {
      if (this.#loop === reading) void this.#leave(reading)
    })
    reading.waiter = waiter
    try {
      if (!(await this.#takeTurn(reading, waiter))) return
      while (!waiter.ended) {
        const hold = await this.#hold(waiter)
        if (hold === undefined) return
        yield* this.#follow(this.#open(hold), reading, waiter)
      }
    } catch (error) {
      if (!waiter.ended) throw error
    } finally {
      waiter.detach()
      if (this.#loop === reading) {
        if (!this.#transport.closed) await this.#leave(reading)
        this.#loop = undefined
        for (const waiting of this.#waiting) waiting.notice()
      }
    }
  }

  /** Waits until no other loop of this object runs; false: it was ended meanwhile. */
  async #takeTurn(reading: Reading, waiter: NoticeWaiter): Promise<boolean> {
    this.#waiting.add(waiter)
    try {
      while (this.#loop !== undefined) if (!(await waiter.wait())) return false
      this.#loop = reading
      return true
    } finally {
      this.#waiting.delete(waiter)
    }
  }

  /** Takes the lease, and waits for it while another holds it; `undefined` if the loop ends meanwhile. */
  async #hold(waiter: NoticeWaiter): Promise<Hold | undefined> {
    const taken = await this.#persist(() => this.#take(true), waiter)
    return typeof taken === "number" ? this.#waitForLease(waiter) : taken
  }

  /** Takes the lease once no other holds it; `undefined` at the end. */
  async #waitForLease(waiter: NoticeWaiter): Promise<Hold | undefined> {
    const { name } = this
    const subscription = this.#transport.subscribe({ kind: "lease", name }, waiter)
    try {
      for (;;) {
        const { leaseExpiresAt } = await this.#persist(() => this.status(), waiter)
        if (leaseExpiresAt === null) {
          const taken = await this.#persist(() => this.#take(true), waiter)
          if (typeof taken !== "number") return taken
          subscription.wakeAt(taken)
        } else subscription.wakeAt(leaseExpiresAt)
        if (!(await waiter.wait())) return undefined
      }
    } finally {
      subscription.unsubscribe()
    }
  }

  /** Gives one change after another, until the lease is lost or the `Kv` is closed. */
  async *#follow(
    reader: ChangesReader,
    reading: Reading,
    waiter: NoticeWaiter,
  ): AsyncGenerator<KvChange<T>, undefined> {
    this.#planRenewal(reading)
    reader.subscribe(waiter)
    try {
      yield* this.#pages(reader, reading, waiter)
    } finally {
      reader.unsubscribe()
    }
  }

  async *#pages(
    reader: ChangesReader,
    reading: Reading,
    waiter: NoticeWaiter,
  ): AsyncGenerator<KvChange<T>, undefined> {
    for (;;) {
      const { changes, more } = await this.#persist(() => reader.page<T>(MAX_READ_CHANGES), waiter)
      for (const change of changes) {
        yield change
        reading.passed = change.seq
        if (this.#isDue(reading) && !(await this.#renew(reading, waiter))) return
      }
      reading.passed = reader.position
      const moved = changes.length > 0 || this.#isDue(reading)
      if (moved && !(await this.#renew(reading, waiter))) return
      if (more) continue
      waiter.wakeAt(reading.renewAt)
      if (!(await waiter.wait())) return
    }
  }

  /** Transient errors of the store do not end a loop. */
  #persist<R>(call: () => Promise<R>, waiter: NoticeWaiter): Promise<R> {
    return persist(call, () => waiter, this.#onError)
  }

  #planRenewal(reading: Reading): void {
    if (!this.#transport.closed) reading.renewAt = this.#transport.now() + this.#leaseMs / 3
  }

  #isDue({ renewAt }: Reading): boolean {
    return this.#transport.now() >= renewAt
  }

  /** Commits the position and renews the lease; false if it was lost. */
  async #renew(reading: Reading, waiter: NoticeWaiter): Promise<boolean> {
    this.#planRenewal(reading)
    const seq = Math.max(reading.passed ?? 0, this.#position)
    try {
      await this.#persist(() => this.commit(seq), waiter)
      reading.passed = undefined
      return true
    } catch (error) {
      // Any other ends the loop, which tries to commit it once more.
      if (!(error instanceof KvError && error.code === "CONFLICT")) throw error
      reading.passed = undefined
      return false
    }
  }

  /** Commits the changes that the loop's body has finished, and gives the lease back. */
  async #leave({ passed }: Reading): Promise<void> {
    const lost = () => {}
    const last = passed !== undefined && passed > this.#position ? this.commit(passed).catch(lost) : undefined
    await Promise.all([last, this.release().catch(lost)])
  }
}

/** The uncommitted position of an iteration, and the time to renew its lease. */
interface Reading {
  passed: number | undefined
  renewAt: number
  waiter: NoticeWaiter | undefined
}
