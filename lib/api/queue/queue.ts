/** Adding and counting messages, and the dead letter queue. Handling messages is in `listener.ts`. */

import type { KvDeadLetter, KvDeadLetters, KvEnqueueOptions, KvQueueStats } from "../../../index.js"
import { MAX_DEAD_LETTERS } from "../../shared/limits.js"
import { refuseExtra, takeOptions, wholeNumber } from "../../shared/options.js"
import type { EnqueueMutation, Transport } from "../../transport.js"
import { CommitUuid, enqueue, mutationOf } from "../commit/mutations.js"

export const DEFAULT_QUEUE = "default"
const DEFAULT_LETTERS = 100

export function addMessage(
  transport: Transport,
  value: unknown,
  options?: KvEnqueueOptions,
): Promise<{ ok: true; id: string }> {
  const mutation = mutationOf(enqueue(value, options), new CommitUuid(transport.core)) as EnqueueMutation
  return transport.write({ kind: "enqueue", mutation })
}

export async function queueStats(
  transport: Transport,
  queue: string | undefined,
  extra: readonly unknown[],
): Promise<KvQueueStats> {
  refuseExtra(extra)
  return transport.query({ kind: "queueStats", queue })
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
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async list<T>(options?: ListOptions, ...extra: unknown[]): Promise<KvDeadLetter<T>[]> {
    refuseExtra(extra)
    const given = takeOptions<ListOptions>(options, ["limit", "offset", "queue"])
    const { limit = DEFAULT_LETTERS, offset = 0, queue } = given
    wholeNumber(limit, "limit", 1, MAX_DEAD_LETTERS)
    wholeNumber(offset, "offset", 0, Number.MAX_SAFE_INTEGER)
    const letters: KvDeadLetter<T>[] = []
    for (let more = true; more && letters.length < limit; ) {
      const page = await this.#transport.query({
        kind: "deadLetters",
        queue,
        offset: offset + letters.length,
        limit: limit - letters.length,
      })
      letters.push(...(page.letters as KvDeadLetter<T>[]))
      more = page.more
    }
    return letters
  }

  async get<T>(id: string, ...extra: unknown[]): Promise<KvDeadLetter<T> | null> {
    refuseExtra(extra)
    const letter = await this.#transport.query({ kind: "deadLetter", id })
    return (letter as KvDeadLetter<T> | undefined) ?? null
  }

  async requeue(id: string, ...extra: unknown[]): Promise<{ ok: true; id: string } | { ok: false }> {
    refuseExtra(extra)
    const added = await this.#transport.write({ kind: "requeueDeadLetter", id })
    return added === null ? { ok: false } : { ok: true, id: added }
  }

  async delete(id: string, ...extra: unknown[]): Promise<{ ok: boolean }> {
    refuseExtra(extra)
    return this.#transport.write({ kind: "deleteDeadLetter", id })
  }

  /** In steps, so that other writes go between them. */
  async purge(options?: PurgeOptions, ...extra: unknown[]): Promise<{ deletedCount: number }> {
    refuseExtra(extra)
    const { queue } = takeOptions<PurgeOptions>(options, ["queue"])
    let [deletedCount, more] = [0, true]
    while (more) {
      const step = await this.#transport.write({ kind: "purgeDeadLetters", queue })
      deletedCount += step.count
      more = step.more
    }
    return { deletedCount }
  }
}
