/** For this repository's tests: time, and what is inside. Not exported by the package. */

import type { Kv, KvKey } from "../index.js"
import { transports } from "./api/kv.js"
import { callNative } from "./native/addon.js"
import { core } from "./native/core.js"
import { NativeTransport } from "./native/transport.js"
import { reviveKey } from "./wire/key-json.js"

/** Replaces what waits (retries, backoff), or (`undefined`) puts it back. */
export { useTimer } from "./shared/host.js"

function transportOf(kv: Kv): NativeTransport {
  const transport = transports.get(kv)
  if (!(transport instanceof NativeTransport)) throw new TypeError("not a Kv")
  return transport
}

/** Freezes the clock of the store at a time, or (`null`) lets it run. */
export function setClock(kv: Kv, ms: number | null): void {
  transportOf(kv).callForTests((handle) => handle.freezeClock(ms))
}

/** The machine's clock is wrong by so many milliseconds from now on: a step, forward or back. */
export function shiftClock(kv: Kv, ms: number): void {
  transportOf(kv).callForTests((handle) => handle.shiftClock(ms))
}

/** Runs one sweep now. */
export function sweep(kv: Kv): Promise<void> {
  return transportOf(kv).sweep()
}

export function encodeKey(key: KvKey): Uint8Array {
  return core.encodeKey(key)
}

export function decodeKey(bytes: Uint8Array): KvKey {
  return reviveKey(JSON.parse(callNative((addon) => addon.decodeKey(bytes))) as unknown[])
}

/** Stores the text of a value as it is, as another program or an earlier version may have. */
export async function plant(kv: Kv, key: KvKey, text: string): Promise<void> {
  const value = { encoding: 1, data: text } as const
  await transportOf(kv).write({ kind: "set", key, stamped: false, value, expiresIn: undefined })
}
