/** The package's exports; their contract is `index.d.ts`, which a test compares with them. */

import type * as Contract from "../index.js"
import { Kv } from "./api/kv.js"
import { KvError } from "./shared/errors.js"
import { KvU64 } from "./shared/u64.js"
import { version } from "./shared/version.js"

export { Kv, KvError, KvU64, version }

type Conforming<T extends typeof Contract> = T
/** Compiles only while the exports are what the contract says. */
export type Exports = Conforming<{
  Kv: typeof Kv
  KvError: typeof KvError
  KvU64: typeof KvU64
  version: typeof version
}>
