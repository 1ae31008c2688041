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
} from "../index.js"
import type { Bridge } from "./bridge.js"
import { describe, invalidArgument } from "./errors.js"
import { copyKey } from "./keys.js"
import { selectorOf } from "./list.js"
import { Mutating } from "./mutating.js"
import { type NativeHandle, STAMP_ALWAYS } from "./native.js"
import { CommitUuid, type Operation, type Outcome, resultOf, stage } from "./operations.js"
import { checkOptions } from "./options.js"

const MUTATION_MEMBERS = ["type", "key", "value", "expiresIn", "expireIn"]

/** A `KvAtomic`. That type also counts what was chained, which a class that returns itself cannot say. */
export class Atomic extends Mutating {
  readonly #bridge: Bridge
  readonly #checks: KvCheck[] = []
  readonly #operations: Operation[]

  constructor(bridge: Bridge) {
    const operations: Operation[] = []
    super((operation) => operations.push(operation))
    this.#bridge = bridge
    this.#operations = operations
  }

  check(...checks: KvCheck[]): this {
    for (const check of checks) this.#checks.push(copyCheck(check))
    return this
  }

  delete(target: KvKey | KvSelector): this {
    if (Array.isArray(target)) this.#operations.push({ type: "delete", key: copyKey(target) })
    else this.#operations.push({ type: "deleteRange", selector: { ...selectorOf(target) } })
    return this
  }

  mutate(...mutations: readonly KvMutation[]): this {
    for (const mutation of mutations) this.#mutate(mutation)
    return this
  }

  #mutate(mutation: KvMutation): void {
    if (typeof mutation !== "object" || mutation === null)
      throw invalidArgument(`mutation: must be an object, got ${describe(mutation)}`)
    checkOptions(mutation, MUTATION_MEMBERS, "mutation")
    const { type, key, ...rest } = mutation
    const { value, ...expire } = rest as { value?: never } & KvExpireOptions
    switch (type) {
      case "set":
        this.set(key as KvWriteKey, value, expire)
        return
      case "delete":
        this.delete(key)
        return
      case "sum":
      case "max":
      case "min":
      case "append":
      case "prepend":
      case "patch":
        this[type](key, value as never, expire)
        return
      default:
        throw invalidArgument(
          `mutation.type: ${describe(type)} is not one of set, delete, sum, max, min, append, prepend, patch`,
        )
    }
  }

  commit(): Promise<KvCommitResult | KvCommitError> {
    return commit(this.#bridge, this.#checks, this.#operations, new CommitUuid())
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
