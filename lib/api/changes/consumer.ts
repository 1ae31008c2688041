/** Consumers of the change feed: a position in the store, which one holder at a time moves. */

import type { KvChange, KvConsumer, KvConsumerOptions, KvConsumerStatus, KvKey } from "../../../index.js"
import { callNative } from "../../native/addon.js"
import type { Bridge } from "../../native/bridge.js"
import { takeOptionalCallback } from "../../shared/callbacks.js"
import { describe, invalidArgument, KvError, short } from "../../shared/errors.js"
import { copyKey } from "../../shared/keys.js"
import { MAX_READ_CHANGES } from "../../shared/limits.js"
import { refuseExtra, takeOptions, wholeNumber } from "../../shared/options.js"
import { isList } from "../../value/kinds.js"
import { reviveKey } from "../../wire/page.js"
import { Feed } from "./changes.js"
import { Attention, persist } from "./notice-waiter.js"

const DEFAULT_READ_CHANGES = 100

type Taken = [lease: number, position: number, prefix: unknown[]] | [lease: null, untilMs: number]

/** What a holder has. */
interface Hold {
  position: number
  prefix: KvKey
}

export class Consumer<T> implements KvConsumer<T> {
  readonly name: string
  readonly #bridge: Bridge
  readonly #prefix: KvKey | undefined
  readonly #leaseMs: number
  readonly #onError: KvConsumerOptions["onError"]
  /** The number of the lease that was taken last; 0: none. */
  #lease = 0
  /** Where it stands, as far as this holder knows. */
  #position = 0
  #taking: Promise<unknown> = Promise.resolve()

  constructor(bridge: Bridge, name: string, options?: KvConsumerOptions) {
    const given = takeOptions<KvConsumerOptions>(options, ["prefix", "lease", "onError"])
    callNative((addon) => addon.checkConsumer(name))
    const { lease = "30s" } = given
    const prefix = copyKey(given.prefix)
    if (prefix !== undefined && !isList(prefix))
      throw invalidArgument(`prefix: must be an array of parts, got ${describe(prefix)}`)
    bridge.now((handle) => handle.feed(undefined, prefix))
    this.name = name
    this.#bridge = bridge
    this.#prefix = prefix
    this.#leaseMs = callNative((addon) => addon.leaseMs(lease, "lease"))
    this.#onError = takeOptionalCallback(given.onError, "onError")
  }

  async read(limit: number = DEFAULT_READ_CHANGES, ...extra: unknown[]): Promise<KvChange<T>[]> {
    refuseExtra(extra)
    wholeNumber(limit, "limit", 1, MAX_READ_CHANGES)
    const hold = await this.#take()
    if (typeof hold === "number") throw this.#busy(hold)
    const feed = this.#feed(hold)
    const changes: KvChange<T>[] = []
    for (let more = true; more && changes.length < limit; ) {
      const page = await feed.page<T>(limit - changes.length)
      changes.push(...page.changes)
      more = page.more
    }
    const { position = 0 } = feed
    if (changes.length === 0 && position > hold.position) await this.#pass(position)
    return changes
  }

  /** Changes of other keys need not be looked at again, nor be kept for this consumer. */
  async #pass(seq: number): Promise<void> {
    try {
      await this.commit(seq)
    } catch (error) {
      if (!(error instanceof KvError && error.code === "CONFLICT")) throw error
    }
  }

  #feed({ position, prefix }: Hold): Feed {
    return new Feed(this.#bridge, position, prefix)
  }

  #busy(untilMs: number): KvError {
    const until = new Date(untilMs).toISOString()
    return new KvError(
      "BUSY",
      `consumer ${JSON.stringify(short(this.name))}: another reader holds its lease until ${until}`,
    )
  }

  /**
   * Takes or renews the lease; a number if another holds it: until when. One after another: the second of two names the lease that
   * the first has got.
   */
  #take(): Promise<Hold | number> {
    const taking = this.#taking.then(() => this.#takeNow())
    this.#taking = taking.catch(() => {})
    return taking
  }

  async #takeNow(): Promise<Hold | number> {
    const taken = await this.#bridge.write(
      (handle, id) => handle.takeConsumer(id, this.name, this.#prefix, this.#lease, this.#leaseMs),
      (body: Taken) => body,
    )
    if (taken[0] === null) return taken[1]
    const [lease, position, prefix] = taken as [number, number, unknown[]]
    this.#lease = lease
    this.#position = position
    return { position, prefix: reviveKey(prefix) }
  }

  async commit(seq: number, ...extra: unknown[]): Promise<void> {
    refuseExtra(extra)
    wholeNumber(seq, "seq", 0, Number.MAX_SAFE_INTEGER)
    await this.#bridge.write(
      (handle, id) => handle.commitConsumer(id, this.name, this.#lease, this.#leaseMs, seq),
      () => {
        this.#position = seq
      },
    )
  }

  async status(...extra: unknown[]): Promise<KvConsumerStatus> {
    refuseExtra(extra)
    this.#bridge.spend(1)
    const turn = this.#bridge.turn()
    if (turn !== undefined) await turn
    const [position, head, leaseExpiresAt] = await this.#bridge.askJson<[number, number, number | null]>(
      (handle, id) => handle.consumerStatus(this.name, id),
    )
    const held = leaseExpiresAt !== null
    return { name: this.name, position, head, lag: head - position, held, leaseExpiresAt }
  }

  async release(...extra: unknown[]): Promise<void> {
    refuseExtra(extra)
    const lease = this.#lease
    this.#lease = 0
    if (lease === 0) return
    await this.#bridge.write(
      (handle, id) => handle.releaseConsumer(id, this.name, lease),
      () => undefined,
    )
  }

  async delete(...extra: unknown[]): Promise<{ ok: boolean }> {
    refuseExtra(extra)
    return this.#bridge.write(
      (handle, id) => handle.deleteConsumer(id, this.name),
      (ok: boolean) => ({ ok }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#bridge.closed) await this.release()
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<KvChange<T>, undefined> {
    const reading: Reading = { passed: undefined, renewAt: 0, news: undefined }
    const changes = this.#read(reading)
    return {
      next: () => changes.next(),
      return: () => {
        // A generator's own `return` waits behind a `next` that waits for changes.
        reading.news?.leave()
        return changes.return(undefined)
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  async *#read(reading: Reading): AsyncGenerator<KvChange<T>, undefined> {
    const news = new Attention(this.#bridge, () => this.#leave(reading))
    reading.news = news
    try {
      while (!news.ended) {
        const hold = await this.#hold(news)
        if (hold === undefined) return
        yield* this.#follow(this.#feed(hold), reading, news)
      }
    } catch (error) {
      if (!news.ended) throw error
    } finally {
      news.leave()
      if (!this.#bridge.closed) await this.#leave(reading)
    }
  }

  /** Takes the lease, and waits for it while another holds it; nothing, if it is ended meanwhile. */
  async #hold(news: Attention): Promise<Hold | undefined> {
    const taken = await this.#persist(() => this.#take(), news)
    return typeof taken === "number" ? this.#waitForLease(news) : taken
  }

  /** Takes the lease once no other holds it; nothing at the end. */
  async #waitForLease(news: Attention): Promise<Hold | undefined> {
    const { leases } = this.#bridge.news
    const leave = leases.wait(this.name, news)
    try {
      for (;;) {
        const { leaseExpiresAt } = await this.#persist(() => this.status(), news)
        if (leaseExpiresAt === null) {
          const taken = await this.#persist(() => this.#take(), news)
          if (typeof taken !== "number") return taken
          leases.plan(this.name, taken)
        } else leases.plan(this.name, leaseExpiresAt)
        if (!(await news.wait())) return undefined
      }
    } finally {
      leave()
    }
  }

  /** Gives one change after another, until the lease is lost or the `Kv` is closed. */
  async *#follow(feed: Feed, reading: Reading, news: Attention): AsyncGenerator<KvChange<T>, undefined> {
    this.#planRenewal(reading)
    feed.follow(news)
    try {
      yield* this.#pages(feed, reading, news)
    } finally {
      feed.unfollow()
    }
  }

  async *#pages(feed: Feed, reading: Reading, news: Attention): AsyncGenerator<KvChange<T>, undefined> {
    for (;;) {
      const { changes, more } = await this.#persist(() => feed.page<T>(MAX_READ_CHANGES), news)
      for (const change of changes) {
        yield change
        reading.passed = change.seq
        if (this.#isDue(reading) && !(await this.#renew(reading, news))) return
      }
      reading.passed = feed.position
      const moved = changes.length > 0 || this.#isDue(reading)
      if (moved && !(await this.#renew(reading, news))) return
      if (more) continue
      this.#bridge.news.alarms.set(news, reading.renewAt)
      if (!(await news.wait())) return
    }
  }

  /** Errors of the store that may pass do not end a loop. */
  #persist<R>(call: () => Promise<R>, news: Attention): Promise<R> {
    return persist(call, () => news, this.#onError)
  }

  #planRenewal(reading: Reading): void {
    this.#bridge.ended((handle) => {
      reading.renewAt = handle.now() + this.#leaseMs / 3
    })
  }

  #isDue({ renewAt }: Reading): boolean {
    return this.#bridge.now((handle) => handle.now()) >= renewAt
  }

  /** Commits what was passed and renews the lease; false if it was lost. */
  async #renew(reading: Reading, news: Attention): Promise<boolean> {
    this.#planRenewal(reading)
    const seq = Math.max(reading.passed ?? 0, this.#position)
    try {
      await this.#persist(() => this.commit(seq), news)
      reading.passed = undefined
      return true
    } catch (error) {
      // Any other ends the loop, which tries to commit it once more.
      if (!(error instanceof KvError && error.code === "CONFLICT")) throw error
      reading.passed = undefined
      return false
    }
  }

  /** Commits what the loop's body has finished, and gives the lease back. */
  async #leave({ passed }: Reading): Promise<void> {
    const lost = () => {}
    const last = passed !== undefined && passed > this.#position ? this.commit(passed).catch(lost) : undefined
    await Promise.all([last, this.release().catch(lost)])
  }
}

/** What an iteration has passed and not committed, and when its lease is to be renewed. */
interface Reading {
  passed: number | undefined
  renewAt: number
  news: Attention | undefined
}
