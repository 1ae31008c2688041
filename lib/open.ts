/** Which carrier serves a place. */

import { NativeTransport } from "./native/transport.js"
import type { KvSettings } from "./shared/options.js"
import type { Transport } from "./transport.js"

export function openTransport(settings: KvSettings): Transport {
  return new NativeTransport(settings)
}
