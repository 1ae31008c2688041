/**
 * What `import` loads. It gives on what `require` loads, so that a process has one copy of it, whichever way
 * it came.
 */

export { Kv, KvError, KvU64, version } from "./index.js"
