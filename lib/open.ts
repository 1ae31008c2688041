/** Which carrier serves a place. */

import { NativeTransport } from "./native/transport.js"
import type { KvSettings } from "./shared/options.js"
import type { Transport } from "./transport.js"

/** Opens the transport of a `Kv`. */
export type Carrier = (settings: KvSettings) => Transport

const native: Carrier = (settings) => new NativeTransport(settings)

let carrier = native

/** For this repository's tests (`testing.ts`). */
export function useCarrier(other: Carrier | undefined): void {
  carrier = other ?? native
}

export function openTransport(settings: KvSettings): Transport {
  return carrier(settings)
}
