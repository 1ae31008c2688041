/**
 * The code shared by the entries of the package: scripts/bundle.mjs builds it into one file, and each entry
 * into a file that imports from it.
 */

export { Kv, transports } from "./api/kv.js"
export { callNative } from "./native/addon.js"
export { core } from "./native/core.js"
export { nativeCarrier, useCarrier } from "./open.js"
export { KvError } from "./shared/errors.js"
export { useTimer } from "./shared/host.js"
export { KvU64 } from "./shared/u64.js"
export { version } from "./shared/version.js"
export { decodeValue, encodeValue } from "./value/index.js"
export { Unread } from "./value/unreadable.js"
export { reviveKey } from "./wire/key-json.js"
