/** The builder of atomic commits. */

import type {
  KvCheck,
  KvCommitError,
  KvCommitResult,
  KvExpireOptions,
  KvKey,
  KvMutation,
  KvSelector,
  KvWriteKey,
} from "../../../index.js"
import { describe, invalidArgument } from "../../shared/errors.js"
import { copyKey, selectorOf } from "../../shared/keys.js"
import { isList } from "../../shared/kinds.js"
import { EXPIRE, refuseExtra, takeOptions } from "../../shared/options.js"
import { type Origin, traced } from "../../shared/stacks.js"
import type { Transport } from "../../transport.js"
import { MutationMethods } from "./mutation-methods.js"
import { CommitUuid, mutationOf, type Operation } from "./mutations.js"

/** A mutation as data, before its type is checked. */
interface Given extends KvExpireOptions {
  type: KvMutation["type"]
  key: KvMutation["key"]
  value?: never
}

const MUTATION_MEMBERS: readonly (keyof Given)[] = ["type", "key", "value", ...EXPIRE]

/** A `KvAtomic`. That type also counts what was chained, which a class that returns itself cannot say. */
export class Atomic extends MutationMethods {
  readonly #transport: Transport
  readonly #checks: KvCheck[] = []
  readonly #operations: Operation[]
  readonly #origin: Origin | undefined

  /** `origin`: the call that made it, for errors that have no other origin. */
  constructor(transport: Transport, origin?: Origin) {
    const operations: Operation[] = []
    super(transport.core, (operation) => operations.push(operation))
    this.#transport = transport
    this.#operations = operations
    this.#origin = origin
  }

  check(...checks: KvCheck[]): this {
    for (const check of checks) this.#checks.push(copyCheck(check))
    return this
  }

  delete(target: KvKey | KvSelector, ...extra: unknown[]): this {
    refuseExtra(extra)
    if (isList(target)) this.#operations.push({ type: "delete", key: copyKey(target) })
    else this.#operations.push({ type: "deleteRange", where: undefined, ...selectorOf(target) })
    return this
  }

  mutate(...mutations: readonly KvMutation[]): this {
    for (const mutation of mutations) this.#mutate(mutation)
    return this
  }

  #mutate(mutation: KvMutation): void {
    if (typeof mutation !== "object" || mutation === null)
      throw invalidArgument(`mutation: must be an object, got ${describe(mutation)}`)
    const { type, key, value, expiresIn, expireIn } = takeOptions<Given>(
      mutation,
      MUTATION_MEMBERS,
      "mutation",
    )
    const expire = { expiresIn, expireIn }
    switch (type) {
      case "set":
        if (!("value" in mutation))
          throw invalidArgument("mutation: it has no value; give value: undefined to store that")
        this.set(key as KvWriteKey, value, expire)
        return
      case "delete":
        if (value !== undefined || expiresIn !== undefined || expireIn !== undefined)
          throw invalidArgument("mutation: a delete takes no value and no time to live")
        this.delete(key as KvKey | KvSelector)
        return
      case "sum":
      case "max":
      case "min":
      case "append":
      case "prepend":
      case "patch":
        this[type](key as KvKey, value as never, expire)
        return
      default:
        throw invalidArgument(
          `mutation.type: ${describe(type)} is not one of set, delete, sum, max, min, append, prepend, patch`,
        )
    }
  }

  async commit(...extra: unknown[]): Promise<KvCommitResult | KvCommitError> {
    refuseExtra(extra)
    return await commit(this.#transport, this.#checks, this.#operations, new CommitUuid(this.#transport.core))
  }

  /** `await` calls this: an operation that was never committed must not be ignored silently. */
  // biome-ignore lint/suspicious/noThenProperty: it is there so that awaiting it fails
  then(): never {
    const message = "atomic(): it was awaited, or returned by an async function, without commit()"
    throw traced(invalidArgument(message), this.#origin)
  }
}

export function copyCheck(check: KvCheck): KvCheck {
  if (typeof check !== "object" || check === null)
    throw invalidArgument(`check: must be { key, versionstamp }, got ${describe(check)}`)
  return { key: copyKey(check.key), versionstamp: check.versionstamp }
}

/** Commits checks and operations. */
export function commit(
  transport: Transport,
  checks: readonly KvCheck[],
  operations: readonly Operation[],
  uuid: CommitUuid,
  stamping: "always" | "never" = "always",
): Promise<KvCommitResult | KvCommitError> {
  const mutations = operations.map((operation) => mutationOf(operation, uuid))
  return transport.write({ kind: "commit", checks, mutations, stamping, argument: "mutations", first: 0 })
}
