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
import { type NativeHandle, STAMP_ALWAYS } from "../../native/addon.js"
import type { Bridge } from "../../native/bridge.js"
import { describe, invalidArgument } from "../../shared/errors.js"
import { copyKey, selectorOf } from "../../shared/keys.js"
import { EXPIRE, refuseExtra, takeOptions } from "../../shared/options.js"
import { type Origin, traced } from "../../shared/stacks.js"
import { isList } from "../../value/kinds.js"
import { Mutating } from "./mutation-methods.js"
import { CommitUuid, type Operation, type Outcome, resultOf, stage } from "./mutations.js"

/** A mutation as data, before its type is looked at. */
interface Given extends KvExpireOptions {
  type: KvMutation["type"]
  key: KvMutation["key"]
  value?: never
}

const MUTATION_MEMBERS: readonly (keyof Given)[] = ["type", "key", "value", ...EXPIRE]

/** A `KvAtomic`. That type also counts what was chained, which a class that returns itself cannot say. */
export class Atomic extends Mutating {
  readonly #bridge: Bridge
  readonly #checks: KvCheck[] = []
  readonly #operations: Operation[]
  readonly #origin: Origin | undefined

  /** `origin`: of the call that made it, where there is no other that an error could lead to. */
  constructor(bridge: Bridge, origin?: Origin) {
    const operations: Operation[] = []
    super((operation) => operations.push(operation))
    this.#bridge = bridge
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
    else this.#operations.push({ type: "deleteRange", selector: selectorOf(target) })
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
    return await commit(this.#bridge, this.#checks, this.#operations, new CommitUuid())
  }

  /** What `await` calls: an operation that was never committed is not passed over in silence. */
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
  bridge: Bridge,
  checks: readonly KvCheck[],
  operations: readonly Operation[],
  uuid: CommitUuid,
  stamping: number = STAMP_ALWAYS,
): Promise<KvCommitResult | KvCommitError> {
  const build = (handle: NativeHandle, id: number) => {
    handle.begin()
    for (const { key, versionstamp } of checks) handle.check(key, versionstamp)
    for (const [index, operation] of operations.entries())
      stage(handle, operation, uuid, `mutations[${index}]: `)
    handle.submit(id, stamping)
  }
  return bridge.write(build, (outcome: Outcome) => {
    if (Array.isArray(outcome))
      return { ok: true, versionstamp: outcome[0], results: outcome[1].map(resultOf) } as KvCommitResult
    return { ok: false, conflicts: conflictsOf(outcome.conflicts, checks) } as KvCommitError
  })
}

function conflictsOf(pairs: readonly (number | string | null)[], checks: readonly KvCheck[]): KvCheck[] {
  const conflicts: KvCheck[] = []
  for (let at = 0; at < pairs.length; at += 2) {
    const { key } = checks[pairs[at] as number] as KvCheck
    conflicts.push({ key, versionstamp: pairs[at + 1] as string | null })
  }
  return conflicts
}
