import type { KvU64 as Contract } from "../../index.js"
import { describe, invalidArgument } from "./errors.js"
import { refuseExtra } from "./options.js"

const MAX_U64 = 2n ** 64n - 1n

/** An unsigned 64-bit counter that wraps, as Deno KV has it. */
export class KvU64 implements Contract {
  readonly value: bigint

  constructor(value: bigint, ...extra: unknown[]) {
    refuseExtra(extra)
    if (typeof value !== "bigint" || value < 0n || value > MAX_U64)
      throw invalidArgument(`KvU64: must be a bigint from 0 to 2^64 - 1, got ${describe(value)}`)
    this.value = value
    Object.freeze(this)
  }

  valueOf(): bigint {
    return this.value
  }

  toString(...extra: unknown[]): string {
    refuseExtra(extra)
    return this.value.toString()
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `KvU64(${this.value}n)`
  }
}
