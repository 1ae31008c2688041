/** Locks. */

import type { KvLock, KvLockOptions, KvLockStatus, KvLocks } from "../../index.js"
import { native } from "../native/addon.js"
import type { Bridge } from "../native/bridge.js"
import { refuseExtra, takeOptions } from "../shared/options.js"

/** `kv.lock`: a function with another one. */
export function locksOf(bridge: Bridge): KvLocks {
  const lock = (name: string, options?: KvLockOptions, ...extra: unknown[]) =>
    take(bridge, name, options, extra)
  return Object.assign(lock, {
    status: (name: string, ...extra: unknown[]) => status(bridge, name, extra),
  })
}

async function take(
  bridge: Bridge,
  name: string,
  options: KvLockOptions | undefined,
  extra: readonly unknown[],
): Promise<KvLock> {
  refuseExtra(extra)
  const given = takeOptions<KvLockOptions>(options, ["duration", "owner"])
  const { duration = "10m", owner = native.uuidv7() } = given
  const [acquired, token, expiresAt] = await bridge.write(
    (handle, id) => handle.lock(id, name, owner, duration),
    (body: [acquired: boolean, token: string, expiresAt: number]) => body,
  )
  return new Lock(bridge, name, { acquired, token: BigInt(token), owner, expiresAt })
}

async function status(bridge: Bridge, name: string, extra: readonly unknown[]): Promise<KvLockStatus> {
  refuseExtra(extra)
  bridge.spend(1)
  const turn = bridge.turn()
  if (turn !== undefined) await turn
  const held = await bridge.askJson<[owner: string, token: string, expiresAt: number] | null>((handle, id) =>
    handle.lockStatus(id, name),
  )
  if (held === null) return { held: false, owner: null, token: null, expiresAt: null }
  const [owner, token, expiresAt] = held
  return { held: true, owner, token: BigInt(token), expiresAt }
}

class Lock implements KvLock {
  readonly acquired: boolean
  readonly token: bigint
  readonly owner: string
  readonly expiresAt: number
  readonly #bridge: Bridge
  readonly #name: string

  constructor(
    bridge: Bridge,
    name: string,
    taken: { acquired: boolean; token: bigint; owner: string; expiresAt: number },
  ) {
    this.#bridge = bridge
    this.#name = name
    this.acquired = taken.acquired
    this.token = taken.token
    this.owner = taken.owner
    this.expiresAt = taken.expiresAt
  }

  async release(...extra: unknown[]): Promise<{ ok: boolean }> {
    refuseExtra(extra)
    if (!this.acquired) return { ok: false }
    return this.#bridge.write(
      (handle, id) => handle.unlock(id, this.#name, Number(this.token)),
      (ok: boolean) => ({ ok }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#bridge.closed) await this.release()
  }
}
