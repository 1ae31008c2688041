/** The package's exports; their contract is `index.d.ts`, which a test compares with them. */

export { KvError } from "./errors.js"
export { Kv } from "./kv.js"
export { KvU64 } from "./u64.js"
export { version } from "./version.js"
