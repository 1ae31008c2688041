/** The mutations that commits and transactions share. */

import type { KvEnqueueOptions, KvExpireOptions, KvKey, KvWriteKey } from "../../../index.js"
import { refuseExtra } from "../../shared/options.js"
import type { Core } from "../../transport.js"
import { counting, enqueue, type Operand, type Operation, patch, set, splicing } from "./mutations.js"

/** Reads the values of a mutation at once and hands it to `take`. */
export class MutationMethods {
  readonly #core: Core
  readonly #take: (operation: Operation) => void

  constructor(core: Core, take: (operation: Operation) => void) {
    this.#core = core
    this.#take = take
  }

  set(key: KvWriteKey, value: unknown, options?: KvExpireOptions, ...extra: unknown[]): this {
    refuseExtra(extra)
    this.#take(set(this.#core, key, value, options))
    return this
  }

  sum(key: KvKey, value: Operand, options?: KvExpireOptions, ...extra: unknown[]): this {
    refuseExtra(extra)
    this.#take(counting(this.#core, "sum", key, value, options))
    return this
  }

  max(key: KvKey, value: Operand, options?: KvExpireOptions, ...extra: unknown[]): this {
    refuseExtra(extra)
    this.#take(counting(this.#core, "max", key, value, options))
    return this
  }

  min(key: KvKey, value: Operand, options?: KvExpireOptions, ...extra: unknown[]): this {
    refuseExtra(extra)
    this.#take(counting(this.#core, "min", key, value, options))
    return this
  }

  append(key: KvKey, values: readonly unknown[], options?: KvExpireOptions, ...extra: unknown[]): this {
    refuseExtra(extra)
    this.#take(splicing(this.#core, "append", key, values, options))
    return this
  }

  prepend(key: KvKey, values: readonly unknown[], options?: KvExpireOptions, ...extra: unknown[]): this {
    refuseExtra(extra)
    this.#take(splicing(this.#core, "prepend", key, values, options))
    return this
  }

  patch(key: KvKey, mergePatch: unknown, options?: KvExpireOptions, ...extra: unknown[]): this {
    refuseExtra(extra)
    this.#take(patch(this.#core, key, mergePatch, options))
    return this
  }

  enqueue(value: unknown, options?: KvEnqueueOptions, ...extra: unknown[]): this {
    refuseExtra(extra)
    this.#take(enqueue(value, options))
    return this
  }
}
