/** Which carrier serves a place. */

import { NativeTransport } from "./native/transport.js"
import type { KvSettings } from "./shared/options.js"
import type { Transport } from "./transport.js"

/** Opens the transport of a `Kv`. */
export type Carrier = (settings: KvSettings) => Transport

export const nativeCarrier: Carrier = (settings) => new NativeTransport(settings)

let carrier = nativeCarrier

/** For this repository's tests (`testing.ts`). */
export function useCarrier(other: Carrier | undefined): void {
  carrier = other ?? nativeCarrier
}

export function openTransport(settings: KvSettings): Transport {
  return carrier(settings)
}
