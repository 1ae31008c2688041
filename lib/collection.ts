/** Collections: one prefix, one type of value, checked on write by whatever schema library the app has. */

import type {
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
} from "../index.js"
import { describe, invalidArgument, KvError, short } from "./errors.js"
import { copyKey } from "./keys.js"
import type { Kv } from "./kv.js"

const STANDARD = "~standard"

export class Collection<Input, Output> implements KvCollection<Input, Output> {
  readonly prefix: KvKey
  readonly #kv: Kv
  readonly #schema: KvSchema<Input, Output> | undefined

  constructor(kv: Kv, prefix: unknown, schema: unknown) {
    if (!Array.isArray(prefix) || prefix.length === 0)
      throw invalidArgument(`prefix: must be an array of 1 part or more, got ${describe(prefix)}`)
    if (schema !== undefined && !isSchema(schema))
      throw invalidArgument(
        `schema: must follow Standard Schema, as zod, valibot and arktype do, got ${describe(schema)}`,
      )
    this.prefix = copyKey(prefix) as KvKey
    this.#kv = kv
    this.#schema = schema as KvSchema<Input, Output> | undefined
  }

  key(id: KvCollectionId): KvKey {
    const parts = Array.isArray(id) ? (id as KvKey) : [id as KvKeyPart]
    if (parts.length === 0) throw invalidArgument("id: it is empty; give a part of a key, or several")
    return [...this.prefix, ...parts]
  }

  async get(id: KvCollectionId): Promise<KvEntryMaybe<Output>> {
    return this.#kv.get<Output>(this.key(id))
  }

  async getMany<const Ids extends readonly KvCollectionId[]>(
    ids: Ids,
  ): Promise<{ -readonly [At in keyof Ids]: KvEntryMaybe<Output> }> {
    const keys: readonly KvKey[] = Array.isArray(ids)
      ? ids.map((id) => this.key(id))
      : (ids as unknown as readonly [])
    return (await this.#kv.getMany<Output>(keys)) as { -readonly [At in keyof Ids]: KvEntryMaybe<Output> }
  }

  async set(id: KvCollectionId, value: Input, options?: KvExpireOptions): Promise<KvSetResult> {
    return this.#kv.set(this.key(id), await this.parse(value), options)
  }

  async delete(id: KvCollectionId): Promise<KvDeleteResult> {
    return this.#kv.delete(this.key(id), { exact: true })
  }

  list(options?: Omit<KvListOptions, "where" | "keysOnly">): KvListIterator<KvEntry<Output>> {
    return this.#kv.list<Output>(this.prefix, options)
  }

  where(
    filter: KvWhereOf<Output>,
    options?: Omit<KvListOptions, "where" | "keysOnly">,
  ): KvListIterator<KvEntry<Output>> {
    if (filter === undefined) throw invalidArgument("filter: it is missing; list() gives all entries")
    return this.#kv.list<Output>(this.prefix, { ...options, where: filter })
  }

  count(filter?: KvWhereOf<Output>): Promise<number> {
    return this.#kv.count(this.prefix, filter === undefined ? {} : { where: filter })
  }

  async parse(value: Input): Promise<Output> {
    if (this.#schema === undefined) return value as unknown as Output
    const result = await this.#schema[STANDARD].validate(value)
    checkResult(result)
    if (result.issues === undefined) return result.value
    throw new KvError("INVALID_ARGUMENT", `value: ${messageOf(result.issues)}`, { cause: result.issues })
  }
}

function isSchema(schema: unknown): boolean {
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null) return false
  const standard = (schema as { [STANDARD]?: { validate?: unknown } })[STANDARD]
  return typeof standard?.validate === "function"
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
