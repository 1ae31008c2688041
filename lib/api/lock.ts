/** Locks. */

import type { KvLock, KvLockOptions, KvLockStatus, KvLocks } from "../../index.js"
import { refuseExtra, takeOptions } from "../shared/options.js"
import { signalOf, unlessAborted } from "../shared/signal.js"
import type { Transport } from "../transport.js"

/** `kv.lock`: a function with another one as a member. */
export function locksOf(transport: Transport): KvLocks {
  const lock = (name: string, options?: KvLockOptions, ...extra: unknown[]) =>
    take(transport, name, options, extra)
  return Object.assign(lock, {
    status: (name: string, ...extra: unknown[]) => status(transport, name, extra),
  })
}

async function take(
  transport: Transport,
  name: string,
  options: KvLockOptions | undefined,
  extra: readonly unknown[],
): Promise<KvLock> {
  refuseExtra(extra)
  const given = takeOptions<KvLockOptions>(options, ["duration", "owner", "signal"])
  const { duration = "10m", owner = transport.core.uuidv7() } = given
  const signal = signalOf(given.signal)
  const taking = transport.write({ kind: "takeLock", name, owner, duration })
  const lock = taking.then((taken) => new Lock(transport, name, { ...taken, owner }))
  // An owner that was named may hold it already, by another call.
  const giveBack = (late: Lock) => {
    if (given.owner === undefined) late[Symbol.asyncDispose]().catch(() => {})
  }
  return unlessAborted(lock, signal, giveBack)
}

async function status(transport: Transport, name: string, extra: readonly unknown[]): Promise<KvLockStatus> {
  refuseExtra(extra)
  return transport.query({ kind: "lockStatus", name })
}

class Lock implements KvLock {
  readonly acquired: boolean
  readonly token: bigint
  readonly owner: string
  readonly expiresAt: number
  readonly #transport: Transport
  readonly #name: string

  constructor(
    transport: Transport,
    name: string,
    taken: { acquired: boolean; token: bigint; owner: string; expiresAt: number },
  ) {
    this.#transport = transport
    this.#name = name
    this.acquired = taken.acquired
    this.token = taken.token
    this.owner = taken.owner
    this.expiresAt = taken.expiresAt
  }

  async release(...extra: unknown[]): Promise<{ ok: boolean }> {
    refuseExtra(extra)
    if (!this.acquired) return { ok: false }
    return this.#transport.write({ kind: "releaseLock", name: this.#name, token: this.token })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#transport.closed) await this.release()
  }
}
