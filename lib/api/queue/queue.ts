/** Messages added and counted, and the dead letter queue. What handles them is in `listener.ts`. */

import type { KvDeadLetter, KvDeadLetters, KvEnqueueOptions, KvQueueStats } from "../../../index.js"
import { STAMP_IF_CHANGED } from "../../native/addon.js"
import type { Bridge } from "../../native/bridge.js"
import { MAX_DEAD_LETTERS } from "../../shared/limits.js"
import { refuseExtra, takeOptions, wholeNumber } from "../../shared/options.js"
import { readParts } from "../../wire/page.js"
import { CommitUuid, enqueue, type Outcome, stage } from "../commit/mutations.js"

const DEFAULT_LETTERS = 100

export function addMessage(
  bridge: Bridge,
  value: unknown,
  options?: KvEnqueueOptions,
): Promise<{ ok: true; id: string }> {
  const operation = enqueue(value, options)
  return bridge.write(
    (handle, id) => {
      handle.begin()
      stage(handle, operation, new CommitUuid(), "")
      handle.submit(id, STAMP_IF_CHANGED)
    },
    (outcome: Outcome) => ({ ok: true, id: idOf(outcome) }),
  )
}

function idOf(outcome: Outcome): string {
  const [reply] = Array.isArray(outcome) ? outcome[1] : []
  return (reply as { id: string }).id
}

export async function queueStats(
  bridge: Bridge,
  queue: string | undefined,
  extra: readonly unknown[] = [],
): Promise<KvQueueStats> {
  refuseExtra(extra)
  const [pending, processing, dlq] = await bridge.call<[number, number, number]>((handle, id) =>
    handle.queueStats(id, queue),
  )
  return { pending, processing, dlq, total: pending + processing + dlq }
}

interface ListOptions {
  limit?: number
  offset?: number
  queue?: string
}

interface PurgeOptions {
  queue?: string
}

export class DeadLetters implements KvDeadLetters {
  readonly #bridge: Bridge

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  async list<T>(options?: ListOptions, ...extra: unknown[]): Promise<KvDeadLetter<T>[]> {
    refuseExtra(extra)
    const given = takeOptions<ListOptions>(options, ["limit", "offset", "queue"])
    const { limit = DEFAULT_LETTERS, offset = 0, queue } = given
    wholeNumber(limit, "limit", 1, MAX_DEAD_LETTERS)
    wholeNumber(offset, "offset", 0, Number.MAX_SAFE_INTEGER)
    const letters: KvDeadLetter<T>[] = []
    for (let more = true; more && letters.length < limit; ) {
      const [at, left] = [offset + letters.length, limit - letters.length]
      const { rows, tail } = await this.#bridge.callPage(
        (handle, id) => handle.deadLetters(id, queue, at, left),
        (parcel) => readParts<KvDeadLetter, number>(parcel, 8, letterOf),
      )
      letters.push(...(rows as KvDeadLetter<T>[]))
      more = tail === 1
    }
    return letters
  }

  async get<T>(id: string, ...extra: unknown[]): Promise<KvDeadLetter<T> | null> {
    refuseExtra(extra)
    const { rows } = await this.#bridge.callPage(
      (handle, call) => handle.deadLetter(call, id),
      (parcel) => readParts<KvDeadLetter, number>(parcel, 8, letterOf),
    )
    return (rows[0] as KvDeadLetter<T> | undefined) ?? null
  }

  async requeue(id: string, ...extra: unknown[]): Promise<{ ok: true; id: string } | { ok: false }> {
    refuseExtra(extra)
    const added = await this.#bridge.write(
      (handle, call) => handle.requeue(call, id),
      (body: string | null) => body,
    )
    return added === null ? { ok: false } : { ok: true, id: added }
  }

  async delete(id: string, ...extra: unknown[]): Promise<{ ok: boolean }> {
    refuseExtra(extra)
    return this.#bridge.write(
      (handle, call) => handle.deleteDeadLetter(call, id),
      (ok: boolean) => ({ ok }),
    )
  }

  /** In steps, so that other writes go between them. */
  async purge(options?: PurgeOptions, ...extra: unknown[]): Promise<{ deletedCount: number }> {
    refuseExtra(extra)
    const { queue } = takeOptions<PurgeOptions>(options, ["queue"])
    let [deletedCount, more] = [0, true]
    while (more) {
      const [count, again] = await this.#bridge.write(
        (handle, id) => handle.purgeDeadLetters(id, queue),
        (body: [count: number, more: number]) => body,
      )
      deletedCount += count
      more = again === 1
    }
    return { deletedCount }
  }
}

function letterOf(parts: readonly unknown[], at: number): KvDeadLetter {
  const [id, originalId, errorMessage, attempts, originalCreatedAt, failedAt, queue, value] = parts.slice(
    at,
    at + 8,
  ) as [string, string, string, number, number, number, string, unknown]
  return { id, originalId, value, errorMessage, attempts, originalCreatedAt, failedAt, queue }
}
