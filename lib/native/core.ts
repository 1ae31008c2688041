/** The core's functions that need no open store, by the addon. */

import type { Core } from "../transport.js"
import { callNative } from "./addon.js"

export const core: Core = {
  cursorAfter: (key, reverse) => callNative((addon) => addon.cursorAfter(key, reverse)),
  encodeKey: (key) => callNative((addon) => addon.encodeKey(key)),
  durationMs: (duration, name) => callNative((addon) => addon.durationMs(duration, name)),
  timeToLiveMs: (duration, name) => callNative((addon) => addon.timeToLiveMs(duration, name)),
  leaseMs: (lease, name) => callNative((addon) => addon.leaseMs(lease, name)),
  checkPrefix: (prefix) => callNative((addon) => addon.checkPrefix(prefix)),
  checkQueue: (queue) => callNative((addon) => addon.checkQueue(queue)),
  checkConsumer: (name) => callNative((addon) => addon.checkConsumer(name)),
  uuidv7: () => callNative((addon) => addon.uuidv7()),
}
