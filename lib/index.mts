/**
 * The entry for `import`. It re-exports the entry of `require`, so that a process has one copy of the
 * library.
 */

export { Kv, KvError, KvU64, version } from "./index.js"
