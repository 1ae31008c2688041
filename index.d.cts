// The contract of `index.d.ts` for CommonJS: the same types, so that both are one in a project that has both.
import type * as Contract from "./index.js" with { "resolution-mode": "import" }

export type * from "./index.js" with { "resolution-mode": "import" }
export type Kv = Contract.Kv
export declare const Kv: typeof Contract.Kv
export type KvError = Contract.KvError
export declare const KvError: typeof Contract.KvError
export type KvU64 = Contract.KvU64
export declare const KvU64: typeof Contract.KvU64
export declare const version: typeof Contract.version
