/** For this repository's tests: time, and what is inside. Not exported by the package. */

import type { Kv, KvKey } from "../index.js"
import { bridges } from "./api/kv.js"
import { fromNative, native } from "./native/addon.js"
import type { Bridge } from "./native/bridge.js"
import { reviveKey } from "./wire/page.js"

/** Replaces what waits (retries, backoff), or (`undefined`) puts it back. */
export { useTimer } from "./shared/host.js"

function bridgeOf(kv: Kv): Bridge {
  const bridge = bridges.get(kv)
  if (bridge === undefined) throw new TypeError("not a Kv")
  return bridge
}

/** Freezes the clock of the store at a time, or (`null`) lets it run. */
export function setClock(kv: Kv, ms: number | null): void {
  bridgeOf(kv).handle.freezeClock(ms)
}

/** The machine's clock is wrong by so many milliseconds from now on: a step, forward or back. */
export function shiftClock(kv: Kv, ms: number): void {
  bridgeOf(kv).handle.shiftClock(ms)
}

/** Runs one sweep now. */
export function sweep(kv: Kv): Promise<void> {
  return bridgeOf(kv).call((handle, id) => handle.sweep(id))
}

export function encodeKey(key: KvKey): Uint8Array {
  try {
    return native.encodeKey(key)
  } catch (error) {
    throw fromNative(error)
  }
}

export function decodeKey(bytes: Uint8Array): KvKey {
  try {
    return reviveKey(JSON.parse(native.decodeKey(bytes)) as unknown[])
  } catch (error) {
    throw fromNative(error)
  }
}

/** Stores the text of a value as it is, as another program or an earlier version may have. */
export function plant(kv: Kv, key: KvKey, text: string): Promise<void> {
  const encoding = 1
  return bridgeOf(kv).write(
    (handle, id) => handle.set(id, key, false, text, encoding, undefined),
    () => undefined,
  )
}
