/** Collections: one prefix, one type of value, checked on write by whatever schema library the app has. */

import type {
  Kv,
  KvCollection,
  KvCollectionId,
  KvDeleteResult,
  KvEntry,
  KvEntryMaybe,
  KvExpireOptions,
  KvKey,
  KvKeyPart,
  KvListIterator,
  KvListOptions,
  KvSchema,
  KvSchemaIssue,
  KvSetResult,
  KvWhereOf,
} from "../../index.js"
import { describe, invalidArgument, KvError, short } from "../shared/errors.js"
import { copyKey } from "../shared/keys.js"
import { isList, isRevokedProxy } from "../shared/kinds.js"
import { refuseExtra, takeOptions } from "../shared/options.js"
import { fromCaller } from "../shared/stacks.js"
import type { Core } from "../transport.js"

const STANDARD = "~standard"

type ListOptions = Omit<KvListOptions, "where" | "keysOnly">
const LIST_OPTIONS: readonly (keyof ListOptions)[] = [
  "limit",
  "reverse",
  "start",
  "end",
  "after",
  "cursor",
  "batchSize",
  "consistency",
  "signal",
]

export class Collection<Input, Output> implements KvCollection<Input, Output> {
  readonly prefix: KvKey
  readonly #kv: Kv
  readonly #schema: KvSchema<Input, Output> | undefined

  constructor(kv: Kv, core: Core, prefix: unknown, schema: unknown) {
    if (!isList(prefix) || prefix.length === 0)
      throw invalidArgument(`prefix: must be an array of 1 part or more, got ${describe(prefix)}`)
    if (schema !== undefined && !isSchema(schema))
      throw invalidArgument(
        `schema: must follow Standard Schema, as zod, valibot and arktype do, got ${describe(schema)}`,
      )
    const copy = copyKey(prefix)
    core.checkPrefix(copy)
    this.prefix = copy as KvKey
    this.#kv = kv
    this.#schema = schema as KvSchema<Input, Output> | undefined
  }

  key(id: KvCollectionId, ...extra: unknown[]): KvKey {
    refuseExtra(extra)
    const parts = isList(id) ? copyKey(id) : [id as KvKeyPart]
    if (parts.length === 0) throw invalidArgument("id: it is empty; give a part of a key, or several")
    return [...this.prefix, ...parts]
  }

  /** What is no list of ids is refused where it is no list of keys. */
  #keys(ids: readonly KvCollectionId[]): readonly KvKey[] {
    return isList(ids) ? Array.from(ids, (id) => this.key(id)) : ids
  }

  async get(id: KvCollectionId, ...extra: unknown[]): Promise<KvEntryMaybe<Output>> {
    refuseExtra(extra)
    return this.#kv.get<Output>(this.key(id))
  }

  async getMany<const Ids extends readonly KvCollectionId[]>(
    ids: Ids,
    ...extra: unknown[]
  ): Promise<{ -readonly [At in keyof Ids]: KvEntryMaybe<Output> }> {
    refuseExtra(extra)
    return (await this.#kv.getMany<Output>(this.#keys(ids))) as {
      -readonly [At in keyof Ids]: KvEntryMaybe<Output>
    }
  }

  getSync(id: KvCollectionId, ...extra: unknown[]): KvEntryMaybe<Output> {
    refuseExtra(extra)
    return this.#kv.getSync<Output>(this.key(id))
  }

  getManySync<const Ids extends readonly KvCollectionId[]>(
    ids: Ids,
    ...extra: unknown[]
  ): { -readonly [At in keyof Ids]: KvEntryMaybe<Output> } {
    refuseExtra(extra)
    return this.#kv.getManySync<Output>(this.#keys(ids)) as {
      -readonly [At in keyof Ids]: KvEntryMaybe<Output>
    }
  }

  set(
    id: KvCollectionId,
    value: Input,
    options?: KvExpireOptions,
    ...extra: unknown[]
  ): Promise<KvSetResult> {
    return fromCaller(this.#set(id, value, options, extra))
  }

  async #set(
    id: KvCollectionId,
    value: Input,
    options: KvExpireOptions | undefined,
    extra: readonly unknown[],
  ): Promise<KvSetResult> {
    refuseExtra(extra)
    const key = this.key(id)
    return this.#kv.set(key, await this.#parsed(value), options)
  }

  async delete(id: KvCollectionId, ...extra: unknown[]): Promise<KvDeleteResult> {
    refuseExtra(extra)
    return this.#kv.delete(this.key(id), { exact: true })
  }

  list(options?: ListOptions, ...extra: unknown[]): KvListIterator<KvEntry<Output>> {
    refuseExtra(extra)
    return this.#kv.list<Output>(this.prefix, takeOptions<ListOptions>(options, LIST_OPTIONS))
  }

  where(
    filter: KvWhereOf<Output>,
    options?: ListOptions,
    ...extra: unknown[]
  ): KvListIterator<KvEntry<Output>> {
    refuseExtra(extra)
    if (filter === undefined) throw invalidArgument("filter: it is missing; list() gives all entries")
    const given = takeOptions<ListOptions>(options, LIST_OPTIONS)
    return this.#kv.list<Output>(this.prefix, { ...given, where: filter })
  }

  async count(filter?: KvWhereOf<Output>, ...extra: unknown[]): Promise<number> {
    refuseExtra(extra)
    return this.#kv.count(this.prefix, filter === undefined ? {} : { where: filter })
  }

  async parse(value: Input, ...extra: unknown[]): Promise<Output> {
    refuseExtra(extra)
    return fromCaller(this.#parsed(value))
  }

  async #parsed(value: Input): Promise<Output> {
    // Resolving a promise with a value reads the value's `then`.
    if (typeof value === "object" && value !== null && isRevokedProxy(value))
      throw invalidArgument("value: it is a revoked proxy")
    if (this.#schema === undefined) return value as unknown as Output
    const result = await this.#schema[STANDARD].validate(value)
    checkResult(result)
    if (result.issues === undefined) return result.value
    throw new KvError("INVALID_ARGUMENT", `value: ${messageOf(result.issues)}`, { cause: result.issues })
  }
}

function isSchema(schema: unknown): boolean {
  const standard = membersOf(schema)?.[STANDARD]
  return typeof membersOf(standard)?.validate === "function"
}

function membersOf(value: unknown): Record<string, unknown> | undefined {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined
  return isRevokedProxy(value) ? undefined : (value as Record<string, unknown>)
}

function checkResult(result: unknown): void {
  const { issues } = (result ?? {}) as { issues?: unknown }
  if (typeof result === "object" && result !== null && (issues === undefined || Array.isArray(issues))) return
  throw invalidArgument(
    `schema: its validate must give { value } or { issues }, as Standard Schema says, got ${typeof result}`,
  )
}

const SHOWN_ISSUES = 3

function messageOf(issues: readonly KvSchemaIssue[]): string {
  const shown = issues.slice(0, SHOWN_ISSUES).map(({ message, path }) => {
    const place = path?.map((step) => (typeof step === "object" ? String(step.key) : String(step))).join(".")
    const text = short(String(message))
    return place ? `${short(place)}: ${text}` : text
  })
  const more = issues.length - shown.length
  return shown.join("; ") + (more > 0 ? `; and ${more} more` : "")
}
