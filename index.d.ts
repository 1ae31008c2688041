/**
 * `@buntime/keyval`: Deno KV's programming model for Bun and Node, on libSQL.
 *
 * This file is the public contract, written by hand. Sizes are in bytes, times in milliseconds, unless a name
 * says otherwise. An option that is `undefined` is as good as not given. Every call that fails gives a
 * {@link KvError}, or what the program's own code threw while the call ran it (a getter or a proxy in an argument, an iterator, a
 * schema, the function of a transaction, `onProgress`, a tracer), as it is. A call that is rejected has written nothing, unless its
 * error says `outcome: "unknown"`.
 *
 * @module
 */

/// <reference lib="esnext.disposable" />

/** One part of a key. Parts sort by type first: `Uint8Array < string < number < bigint < boolean`. */
export type KvKeyPart = Uint8Array | string | number | bigint | boolean

/**
 * A key: 1 to 20 parts. Keys sort part by part, numbers and bigints by value, strings by
 * code point (UTF-8 bytes), `false` before `true`.
 *
 * Limits: a string part 1024 UTF-16 code units, a bytes part 1024 bytes, a bigint part
 * 1024 bytes of magnitude. Strings with lone surrogates are refused.
 *
 * @throws {KvError} `INVALID_ARGUMENT` for another type of part; `LIMIT_EXCEEDED` for a limit.
 */
export type KvKey = readonly KvKeyPart[]

/**
 * A key to be written: it may hold {@link Kv.uuidv7} anywhere and {@link Kv.commitVersionstamp} as its last
 * part.
 */
export type KvWriteKey = readonly (KvKeyPart | KvUuidPlaceholder | KvVersionstampPlaceholder)[]

/**
 * A number of milliseconds, or a whole or decimal number with a unit: `"500ms" "30s" "5m" "2h" "7d" "2w" "1y"`
 * (a year is 365 days), or written out: `"1 hour"`, `"2 days"`.
 */
export type Duration = number | string

/** A stored entry. */
export interface KvEntry<T = unknown> {
  /** The entry's key. */
  key: KvKey
  /** The stored value. */
  value: T
  /** The commit that wrote the value: a UUIDv7 in text, in commit order. */
  versionstamp: string
  /** When the entry expires, in milliseconds since the epoch; present only if it has a time to live. */
  expiresAt?: number
}

/** What a read returns for a key that has no entry. */
export interface KvEntryAbsent {
  /** The key that was asked for. */
  key: KvKey
  /** Always `null`; a stored `null` has a versionstamp. */
  value: null
  /**
   * Always `null`: this says that there is no entry. Pass the object to `check`, and the commit fails if one
   * exists by then.
   */
  versionstamp: null
  /** Never present. */
  expiresAt?: undefined
}

/** The entry at a key, or its absence, which `versionstamp: null` says. */
export type KvEntryMaybe<T = unknown> = KvEntry<T> | KvEntryAbsent

/** An entry that was read with `keysOnly`: it has no value. */
export type KvKeyEntry = Omit<KvEntry, "value">

/** The entry at a key, read with `keysOnly`, or its absence, which `versionstamp: null` says. */
export type KvKeyEntryMaybe = KvKeyEntry | Omit<KvEntryAbsent, "value">

/**
 * Where a range begins or ends: a key, or bytes, for carriers that have encoded keys: those of a key as it is
 * stored (`docs/format.md`), or any in between. Bytes are compared with those of keys as they are.
 */
export type KvBound = KvKey | Uint8Array

/**
 * A range of keys. With `prefix`: its descendants, never the prefix itself. `start` is
 * inclusive, `end` exclusive; both must lie under `prefix` if it is given. `{ prefix: [] }`
 * is everything; an empty selector is refused.
 */
export interface KvSelector {
  /** Only keys that begin with these parts and are longer. May be empty. */
  prefix?: KvKey | undefined
  /** The first key, inclusive. */
  start?: KvBound | undefined
  /** The end of the range, exclusive. */
  end?: KvBound | undefined
}

/**
 * `"strong"` reads the newest commit, `"eventual"` may read a replica's local file. The same on a local
 * store.
 */
export type KvConsistency = "strong" | "eventual"

/** Options of {@link Kv.get}. */
export interface KvGetOptions {
  /** Default `"strong"`. */
  consistency?: KvConsistency | undefined
}

/** Options of {@link Kv.getMany}. */
export interface KvGetManyOptions extends KvGetOptions {
  /** Read no values, only whether there are entries, and their versionstamps. Default `false`. */
  keysOnly?: boolean | undefined
}

/** What has an order: what `$gt`, `$between` and the like take. */
export type KvOrdered = number | bigint | string | Date | KvU64 | KvNow

/** What is compared as a whole, and not looked into. A `RegExp` is compared by `$eq` and `$ne` alone. */
export type KvFilterScalar =
  | KvOrdered
  | boolean
  | null
  | ArrayBuffer
  | ArrayBufferView
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Error
  | readonly unknown[]

/** A condition on a field: a value that it equals, operators, or conditions on its own fields. */
export type KvCondition = KvFilterScalar | KvWhere

/**
 * A condition on a value. Numbers and bigints compare numerically, a `Date` with a `Date`, with {@link
 * Kv.now} and with milliseconds, strings by code point; any other pair of types is unequal and has no order.
 * `NaN` equals nothing.
 *
 * `Value` and `Ordered`: what may be compared with; `Type`: the type of the filtered value, for the
 * conditions in `$and`, `$or` and `$not`.
 */
export interface KvFilterOperators<Value = unknown, Ordered = KvOrdered, Type = unknown> {
  /** Equal to this value. */
  $eq?: Value
  /** Not equal; matches what is absent. */
  $ne?: Value
  /** Greater than; never matches what is absent or of another type. */
  $gt?: Ordered
  /** Greater than or equal. */
  $gte?: Ordered
  /** Less than; never matches what is absent or of another type. */
  $lt?: Ordered
  /** Less than or equal. */
  $lte?: Ordered
  /** From one to the other, both included. */
  $between?: readonly [Ordered, Ordered]
  /** Equal to one of at most 1000 values. */
  $in?: readonly Value[]
  /** Equal to none of them; matches what is absent. */
  $nin?: readonly Value[]
  /** A string that holds this one; an array that holds this value. */
  $contains?: unknown
  /** The opposite of `$contains`; matches what is absent. */
  $notContains?: unknown
  /** A string that begins with this one. */
  $startsWith?: string
  /** A string that ends with this one. */
  $endsWith?: string
  /** As `$contains`, whatever the case (Unicode case folding). */
  $containsi?: string
  /** The opposite of `$containsi`; matches what is absent. */
  $notContainsi?: string
  /** As `$startsWith`, whatever the case. */
  $startsWithi?: string
  /** As `$endsWith`, whatever the case. */
  $endsWithi?: string
  /** `true`: null, undefined or absent; `false`: anything else. */
  $null?: boolean
  /** The opposite of `$null`. */
  $notNull?: boolean
  /** `true`: null, undefined or absent, or a string, array, object or `Uint8Array` with nothing in it. */
  $empty?: boolean
  /** The opposite of `$empty`. */
  $notEmpty?: boolean
  /** All of these conditions hold; at least one. */
  $and?: readonly KvWhereOf<Type>[]
  /** One of these conditions holds; at least one. */
  $or?: readonly KvWhereOf<Type>[]
  /** This condition does not hold; matches what is absent. */
  $not?: KvWhereOf<Type>
}

/** Conditions on fields, by their paths. */
export interface KvFilterFields {
  /**
   * A condition on the field at this path: a value that it equals, operators, or conditions on its own
   * fields.
   */
  readonly [field: string]: KvCondition
  /** There is no such operator. */
  readonly [operator: `$${string}`]: never
}

/**
 * A filter: conditions on the fields of a value, all of which must hold, or operators on the value itself. A
 * field is a path, `"profile.verified"` or `"items[0].price"`, or an object in an object; a value alone means
 * `$eq`. A name with a dot or a bracket in it cannot be named. `$and`, `$or` and `$not` may stand beside
 * fields. What is no filter is refused with its place: an unknown operator, an empty object, `undefined`, a
 * `RegExp` (it would match no text). At most 1000 conditions, 100 within one another.
 *
 * @example
 * ```js
 * const open = { status: "open", age: { $gte: 18, $lt: 65 }, address: { city: { $startsWithi: "ber" } } }
 * const late = { $or: [{ dueAt: { $lt: kv.now().sub("24h") } }, { "flags[0]": "urgent" }] }
 * ```
 */
export type KvWhere = KvFilterOperators | KvFilterFields

/** Options of {@link Kv.count}. */
export interface KvCountOptions {
  /** Only entries that match. */
  where?: KvWhere | undefined
}

/** Options of {@link Kv.list}. */
export interface KvListOptions {
  /** The most entries to give; default none. A whole number from 1. */
  limit?: number | undefined
  /** From the last key to the first; default `false`. */
  reverse?: boolean | undefined
  /** The first key, inclusive. */
  start?: KvBound | undefined
  /** The end of the range, exclusive. */
  end?: KvBound | undefined
  /**
   * Begin behind this key, whether there is an entry or not: with the next key in the direction of the list. In
   * reverse those are the keys before it. It narrows the range, as `start` (in reverse, `end`) does, whichever is
   * narrower. It must lie under the prefix. What is under the key sorts behind it.
   */
  after?: KvBound | undefined
  /**
   * Where to go on: the `cursor` of an iterator or page of the same range and direction. `""` is the
   * beginning.
   */
  cursor?: string | undefined
  /** Read no values; default `false`. */
  keysOnly?: boolean | undefined
  /** Entries read at a time, 1 to 1000; default 500. A page also ends at 96 KiB. */
  batchSize?: number | undefined
  /** Default `"strong"`. */
  consistency?: KvConsistency | undefined
  /** Only entries that match; `limit` counts those. */
  where?: KvWhere | undefined
  /**
   * Aborts the list: `next` rejects with the reason of the signal. One that is aborted already is refused: its
   * reason is thrown.
   */
  signal?: AbortSignal | undefined
}

/** What {@link Kv.list} gives. Leaving the loop early stops reading. */
export interface KvListIterator<T> extends AsyncIterableIterator<T> {
  /**
   * Continues after the entry that was returned last. `""` before the first one, and when `next` has said
   * that the range has no more: pages can be read until it is `""`.
   */
  readonly cursor: string
  /**
   * The next entry, or `done: true` at the end of the range; rejects with `CLOSED` if the `Kv` was closed
   * before that.
   */
  next(): Promise<IteratorResult<T, undefined>>
  /** Ends the iteration, as leaving a `for await` loop does. */
  return(): Promise<IteratorResult<T, undefined>>
  /** The iterator itself, for `for await`. */
  [Symbol.asyncIterator](): KvListIterator<T>
}

/** Options of {@link Kv.paginate}. */
export interface KvPaginateOptions {
  /** Entries a page, 1 to 1000; default 100. */
  limit?: number | undefined
  /** The `cursor` of the page before; `null` or `""` is the first page. */
  cursor?: string | null | undefined
  /** Begin behind this key; see {@link KvListOptions}. */
  after?: KvBound | undefined
  /** From the last key to the first; default `false`. */
  reverse?: boolean | undefined
  /** Read no values; default `false`. */
  keysOnly?: boolean | undefined
  /** Only entries that match; `limit` counts those. */
  where?: KvWhere | undefined
}

/** One page of {@link Kv.paginate}. */
export interface KvPage<T = unknown> {
  /** At most `limit` entries, in the order of their keys. */
  entries: KvEntry<T>[]
  /** Pass it for the next page; `null` if there is none. */
  cursor: string | null
  /** Whether another page follows. */
  hasMore: boolean
}

/** One page of {@link Kv.paginate} with `keysOnly`. */
export interface KvKeyPage {
  /** At most `limit` entries without values, in the order of their keys. */
  entries: KvKeyEntry[]
  /** Pass it for the next page; `null` if there is none. */
  cursor: string | null
  /** Whether another page follows. */
  hasMore: boolean
}

/** Options of {@link Kv.children}. */
export interface KvChildrenOptions {
  /** Children a page, 1 to 1000; default 100. */
  limit?: number | undefined
  /** Begin behind this part: the `part` of the last child of the page before. */
  after?: KvKeyPart | undefined
  /**
   * Count the entries of each child: `true` up to 1000, and `"1000+"` says that there are more; `"exact"` all of
   * them, which reads all of their keys. Default `false`.
   */
  counts?: boolean | "exact" | undefined
}

/** A key that is one part longer than the prefix, and has an entry or entries under it. */
export interface KvChild {
  /** The last part of its key. */
  part: KvKeyPart
  /** The prefix and the part. */
  key: KvKey
  /** There is an entry at this key. */
  hasEntry: boolean
  /** There are entries under this key. */
  hasChildren: boolean
  /** With `counts`: how many entries there are at the key and under it. */
  count?: number | "1000+"
}

/** One page of {@link Kv.children}. */
export interface KvChildren {
  /** At most `limit` children, in the order of their keys. */
  children: KvChild[]
  /** Whether another page follows: pass the last `part` as `after`. */
  hasMore: boolean
}

/**
 * A time to live. Both spellings are accepted everywhere; giving both is refused. More than 0, at most 100
 * years.
 */
export interface KvExpireOptions {
  /** From the commit on; a plain write without it lives for ever. */
  expiresIn?: Duration | undefined
  /** Deno's spelling of `expiresIn`. */
  expireIn?: Duration | undefined
}

/** What a write gives. */
export interface KvSetResult {
  /** A write that fails rejects. */
  ok: true
  /** The commit's versionstamp. */
  versionstamp: string
}

/** One entry of {@link Kv.setMany}. */
export interface KvSetEntry extends KvExpireOptions {
  /** The key; placeholders are allowed, as in {@link Kv.set}. */
  key: KvWriteKey
  /** The value; see {@link Kv.set}. */
  value: unknown
}

/** Options of {@link Kv.setMany}. */
export interface KvSetManyOptions {
  /**
   * Called after each commit with the number of entries that are on disk. It may be async. An error that it
   * throws stops the load.
   */
  onProgress?: ((progress: { count: number }) => unknown) | undefined
}

/** Options of {@link Kv.delete}. */
export interface KvDeleteOptions {
  /** Only the key itself, not what is under it; default `false`. Not for selectors. */
  exact?: boolean | undefined
  /** Only entries that match. */
  where?: KvWhere | undefined
}

/** What {@link Kv.delete} gives. */
export interface KvDeleteResult {
  /** A delete that fails rejects; one that finds nothing is a success. */
  success: true
  /** How many live entries were deleted. */
  deletedCount: number
}

/**
 * A precondition of a commit: the key has this versionstamp, or (`null`) does not exist. An entry that was
 * read can be passed unchanged.
 */
export interface KvCheck {
  /** The key to check. */
  key: KvKey
  /** The versionstamp that its entry must have; `null` if it must not exist. */
  versionstamp: string | null
}

/** `set` as data. */
export interface KvSetMutation extends KvExpireOptions {
  /** Which mutation it is. */
  type: "set"
  /** The key to write. */
  key: KvWriteKey
  /** The value to write. */
  value: unknown
}

/** `delete` as data. */
export interface KvDeleteMutation {
  /** Which mutation it is. */
  type: "delete"
  /** The key, alone, or a range. */
  key: KvKey | KvSelector
}

/** `sum`, `max` or `min` as data. */
export interface KvCounterMutation extends KvExpireOptions {
  /** Which mutation it is. */
  type: "sum" | "max" | "min"
  /** The counter's key. */
  key: KvKey
  /** The operand: a bigint, an integer, or a `KvU64`, which only a missing or `KvU64` counter takes. */
  value: bigint | number | KvU64
}

/** `append` or `prepend` as data. */
export interface KvArrayMutation extends KvExpireOptions {
  /** Which mutation it is. */
  type: "append" | "prepend"
  /** The array's key. */
  key: KvKey
  /** The values to add. */
  value: readonly unknown[]
}

/** `patch` as data. */
export interface KvPatchMutation extends KvExpireOptions {
  /** Which mutation it is. */
  type: "patch"
  /** The key of the value to merge into. */
  key: KvKey
  /** The merge patch. */
  value: unknown
}

/** One mutation for {@link KvAtomic.mutate}: what the method of that name takes, as an object. */
export type KvMutation =
  | KvSetMutation
  | KvDeleteMutation
  | KvCounterMutation
  | KvArrayMutation
  | KvPatchMutation

/** Options of {@link Kv.patch}. */
export interface KvPatchOptions extends KvExpireOptions {
  /** The versionstamp that the entry must have; `null`: it must not exist. Default: no condition. */
  versionstamp?: string | null | undefined
}

/**
 * The result of one mutation: the new value of a `sum`, `max` or `min`, the new length of an `append` or
 * `prepend`, the count of a `delete`; `undefined` for a `set`, a `patch` or an `enqueue`.
 */
export type KvMutationResult = bigint | KvU64 | number | undefined

/**
 * A commit that was applied. `Results` is the tuple of its mutations' results, as far as the types know what
 * was chained.
 */
export interface KvCommitResult<Results extends readonly KvMutationResult[] = KvMutationResult[]> {
  /** The commit was applied. */
  ok: true
  /** The versionstamp of every entry that the commit wrote. */
  versionstamp: string
  /** One result for each mutation, in order. */
  results: Results
  /** Present only in a {@link KvCommitError}. */
  conflicts?: undefined
}

/** A commit whose checks failed; nothing was applied. */
export interface KvCommitError {
  /** The commit was not applied. */
  ok: false
  /** The checks that failed, each with the versionstamp that its key has now; `null` if it has no entry. */
  conflicts: KvCheck[]
  /** Present only in a {@link KvCommitResult}. */
  versionstamp?: undefined
  /** Present only in a {@link KvCommitResult}. */
  results?: undefined
}

/**
 * What the types know of a commit under construction: the result of each mutation by its position, and
 * whether there is a check. It is an object, and not a tuple, so that a longer chain may be assigned to a
 * variable that holds a shorter one.
 */
export interface KvChain<Known extends object> {
  /** Not there at run time. */
  readonly "~chain": Known
}
type KvKnown<Builder> = Builder extends KvChain<infer Known> ? Known : unknown

/** The results from the first position on that are known. */
type KvTupleOf<Known, Results extends unknown[] = []> = Results["length"] extends keyof Known
  ? KvTupleOf<Known, [...Results, Known[Results["length"]]]>
  : Results

/** The first position that is not known. */
type KvNext<Known, Passed extends unknown[] = []> = Passed["length"] extends keyof Known
  ? KvNext<Known, [...Passed, unknown]>
  : Passed["length"]

/** A builder after one more mutation. */
type KvChained<Builder, Result> =
  Builder extends KvChain<infer Known>
    ? KvAtomic & KvChain<Known & { [At in KvNext<Known> & number]: Result }>
    : KvAtomic

/** A builder after a check. */
type KvChecked<Builder> =
  Builder extends KvChain<infer Known> ? KvAtomic & KvChain<Known & { check: true }> : KvAtomic

/** A builder after mutations that were given as data. */
type KvMutated<Builder, Mutations extends readonly KvMutation[]> = Mutations extends readonly []
  ? Builder
  : Mutations extends readonly [infer First extends KvMutation, ...infer Rest extends readonly KvMutation[]]
    ? KvMutated<KvChained<Builder, KvResultOf<First>>, Rest>
    : KvAtomic
/** The new value of a counter: a `KvU64` operand meets no other kind. */
type KvCounterOf<Operand> = Operand extends KvU64 ? KvU64 : bigint
type KvResultOf<Mutation extends KvMutation> = Mutation extends {
  type: "sum" | "max" | "min"
  value: infer Value
}
  ? KvCounterOf<Value>
  : Mutation extends { type: "append" | "prepend" | "delete" }
    ? number
    : undefined

/**
 * What a commit resolves to: where no mutation is known, the builder may have been added to in other
 * statements, and nothing is assumed.
 */
type KvCommitOutcome<Builder> = 0 extends keyof KvKnown<Builder>
  ?
      | KvCommitResult<
          Extract<[...KvTupleOf<KvKnown<Builder>>, ...KvMutationResult[]], readonly KvMutationResult[]>
        >
      | ("check" extends keyof KvKnown<Builder> ? KvCommitError : never)
  : KvCommitResult | KvCommitError

/**
 * A commit under construction: all or nothing, applied in the order given. Values are read
 * when they are passed, so that changing an object later changes nothing.
 *
 * Limits: 1000 checks and mutations, 16 MiB of values, 16 MiB of keys.
 *
 * The types know what was chained to {@link Kv.atomic}: the first results by their positions, and that a commit without a check cannot be
 * `ok: false`. They do not see what is added in other statements: about a builder that is committed as `kv.atomic()` returned it, or
 * whose variable is declared as `KvAtomic`, nothing is assumed.
 *
 * @example
 * ```js
 * const user = await kv.get(["users", 1])
 * const done = await kv.atomic().check(user).set(["users", 1], { name: "Ada" }).sum(["edits"], 1).commit()
 * if (done.ok) console.log(done.results[1]) // the number of edits: a bigint
 * else console.log("changed meanwhile:", done.conflicts)
 * ```
 */
export interface KvAtomic {
  /** Adds preconditions: if one does not hold, the commit is `ok: false` and nothing is applied. */
  check<Self extends KvAtomic>(this: Self, ...checks: KvCheck[]): KvChecked<Self>
  /** Writes a value; without `expiresIn` an earlier time to live is cleared. */
  set<Self extends KvAtomic>(
    this: Self,
    key: KvWriteKey,
    value: unknown,
    options?: KvExpireOptions,
  ): KvChained<Self, undefined>
  /** Deletes this key alone, or a range. Its result is the number of live entries deleted. */
  delete<Self extends KvAtomic>(this: Self, key: KvKey | KvSelector): KvChained<Self, number>
  /**
   * Adds to a counter. The result is a bigint of up to 2048 bytes (4,932 digits); a missing counter starts at 0. A stored integer number
   * is accepted and becomes a bigint; a stored {@link KvU64} stays one and wraps at 2^64. Keeps a time to live
   * unless `expiresIn` is given.
   *
   * A `KvU64` operand makes a missing counter a `KvU64`, and is refused on any other kind. The result's type follows
   * the operand: count a stored `KvU64` with `KvU64` operands, since with a bigint the type would say `bigint`.
   * @throws {KvError} `LIMIT_EXCEEDED` for a larger operand. On commit: `LIMIT_EXCEEDED` for a larger stored number or result;
   *   `TYPE_MISMATCH` if something else is stored; `INVALID_ARGUMENT` for a negative operand on a `KvU64`.
   */
  sum<Self extends KvAtomic, Operand extends bigint | number | KvU64>(
    this: Self,
    key: KvKey,
    value: Operand,
    options?: KvExpireOptions,
  ): KvChained<Self, KvCounterOf<Operand>>
  /** Keeps the larger of what is stored and `value`; a missing key becomes `value`. Otherwise as {@link sum}. */
  max<Self extends KvAtomic, Operand extends bigint | number | KvU64>(
    this: Self,
    key: KvKey,
    value: Operand,
    options?: KvExpireOptions,
  ): KvChained<Self, KvCounterOf<Operand>>
  /** Keeps the smaller of what is stored and `value`; a missing key becomes `value`. Otherwise as {@link sum}. */
  min<Self extends KvAtomic, Operand extends bigint | number | KvU64>(
    this: Self,
    key: KvKey,
    value: Operand,
    options?: KvExpireOptions,
  ): KvChained<Self, KvCounterOf<Operand>>
  /**
   * Adds values at the end of a stored array; a missing array starts empty. The result is the new length. Keeps a time to live unless
   * `expiresIn` is given.
   * @throws {KvError} on commit: `TYPE_MISMATCH` if something else is stored.
   */
  append<Self extends KvAtomic>(
    this: Self,
    key: KvKey,
    values: readonly unknown[],
    options?: KvExpireOptions,
  ): KvChained<Self, number>
  /** Puts values, in their order, before a stored array. Otherwise as {@link append}. */
  prepend<Self extends KvAtomic>(
    this: Self,
    key: KvKey,
    values: readonly unknown[],
    options?: KvExpireOptions,
  ): KvChained<Self, number>
  /**
   * Merges into a value (RFC 7396): members of a plain object are written, those that are `null` in the patch are removed, objects in
   * objects are merged likewise; arrays and anything else replace. What is missing, or no plain object, is taken for `{}`. A member
   * that is `undefined` changes nothing. Keeps a time to live unless `expiresIn` is given. Of an object that is in
   * the value several times only the place that is named changes; an object with a cycle is `TYPE_MISMATCH`.
   */
  patch<Self extends KvAtomic>(
    this: Self,
    key: KvKey,
    mergePatch: unknown,
    options?: KvExpireOptions,
  ): KvChained<Self, undefined>
  /** Adds a message to a queue, in the commit. Its result is `undefined`; {@link Kv.enqueue} gives the id. */
  enqueue<Self extends KvAtomic>(
    this: Self,
    value: unknown,
    options?: KvEnqueueOptions,
  ): KvChained<Self, undefined>
  /** Adds mutations given as data. */
  mutate<Self extends KvAtomic, const Mutations extends readonly KvMutation[]>(
    this: Self,
    ...mutations: Mutations
  ): KvMutated<Self, Mutations>
  /**
   * Applies it. Resolves when it is on disk. An empty commit is ok and issues a new versionstamp.
   * @throws {KvError} `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`, `TYPE_MISMATCH`, `BUSY`, `CLOSED`, `UNAVAILABLE`, `CORRUPT`.
   */
  commit<Self extends KvAtomic>(this: Self): Promise<KvCommitOutcome<Self>>
  /** Not a promise: `await` without {@link commit} does not compile, and rejects with `INVALID_ARGUMENT`. */
  then(commitIsMissing: never): never
}

/** The tuple of entries at a tuple of keys: `getMany<[User, Order]>([userKey, orderKey])`. */
type KvEntries<Values extends readonly unknown[]> = {
  -readonly [At in keyof Values]: KvEntryMaybe<Values[At]>
}

/** A tuple of as many keys as there are values. */
type KvKeys<Values extends readonly unknown[]> = readonly [...{ [At in keyof Values]: KvKey }]

/** At least one value: two or more keys in an array literal are a tuple, an array of keys is none. */
type KvTuple = readonly [unknown, ...unknown[]]

/**
 * A list of keys whose values are all of type `T`. A tuple of values asks for as many keys ({@link KvKeys}), so no list is one for a tuple `T`.
 * The keys of the mapped type are `any`, an index signature, which no array has; for any other `T` they are `never`, no member at all.
 * A generic function can pass its own `T` on: as long as TypeScript cannot decide, it leaves out a branch that is `any`.
 */
type KvKeyList<T> = readonly KvKey[] & {
  // biome-ignore lint/suspicious/noExplicitAny: see above
  [Missing in 0 extends 1 & T ? never : [T] extends [KvTuple] ? any : never]: unknown
}

/** A {@link KvWatchTarget} whose values are all of type `T`. */
type KvWatchTargetOf<T> = Exclude<KvWatchTarget, readonly KvKey[]> | KvKeyList<T>

/**
 * What {@link Kv} and {@link KvTransaction} have in common: the type of a parameter that takes either.
 * Through a `Kv` a write is a commit of its own and its promise should be awaited; in a transaction it is
 * part of the transaction's commit.
 *
 * @example
 * ```ts
 * async function nameOf(db: KvContext, id: number) {
 *   return (await db.get<{ name: string }>(["users", id])).value?.name
 * }
 * const outside = await nameOf(kv, 1)
 * const inside = await kv.transaction((tx) => nameOf(tx, 1))
 * ```
 */
export interface KvContext {
  /** Reads an entry: {@link Kv.get}, {@link KvTransaction.get}. */
  get<T = unknown>(key: KvKey): Promise<KvEntryMaybe<T>>
  /** Reads several entries of one snapshot. */
  get<Values extends KvTuple>(keys: KvKeys<Values>): Promise<KvEntries<Values>>
  /** Reads the entries of a list of keys; `T` is the type of every value. */
  get<T = unknown>(keys: KvKeyList<T>): Promise<KvEntryMaybe<T>[]>
  /** Reads up to 1000 entries of one snapshot, in the order of the keys. */
  getMany<Values extends KvTuple>(keys: KvKeys<Values>): Promise<KvEntries<Values>>
  /** Reads the entries of a list of keys; `T` is the type of every value. */
  getMany<T = unknown>(keys: KvKeyList<T>): Promise<KvEntryMaybe<T>[]>
  /** Writes a value; without `expiresIn` an earlier time to live is cleared. */
  set(key: KvWriteKey, value: unknown, options?: KvExpireOptions): unknown
  /** Merges into a value: {@link KvAtomic.patch}. */
  patch(key: KvKey, mergePatch: unknown, options?: KvExpireOptions): unknown
  /** Adds a message to a queue. */
  enqueue(value: unknown, options?: KvEnqueueOptions): unknown
}

/** What the function of {@link Kv.transaction} works with. Every key that it reads is checked at commit. */
export interface KvTransaction {
  /**
   * Reads an entry, once: a second read gives the same. The transaction's own writes show, under the
   * versionstamp that was read; a time to live that they give shows after the commit.
   */
  get<T = unknown>(key: KvKey): Promise<KvEntryMaybe<T>>
  /** The same as {@link getMany}. An empty array is an empty list of keys, and gives `[]`. */
  get<Values extends KvTuple>(keys: KvKeys<Values>): Promise<KvEntries<Values>>
  /** Reads the entries of a list of keys; `T` is the type of every value. */
  get<T = unknown>(keys: KvKeyList<T>): Promise<KvEntryMaybe<T>[]>
  /** Reads up to 1000 entries of one snapshot, in the order of the keys; each is checked at commit. */
  getMany<Values extends KvTuple>(keys: KvKeys<Values>): Promise<KvEntries<Values>>
  /** Reads the entries of a list of keys; `T` is the type of every value. */
  getMany<T = unknown>(keys: KvKeyList<T>): Promise<KvEntryMaybe<T>[]>
  /** Adds preconditions of your own. */
  check(...checks: KvCheck[]): this
  /**
   * Writes a value when the transaction is committed; without `expiresIn` an earlier time to live is cleared.
   */
  set(key: KvWriteKey, value: unknown, options?: KvExpireOptions): this
  /** Deletes this key alone. */
  delete(key: KvKey): this
  /** Adds to a counter: {@link KvAtomic.sum}. Later reads of the transaction see the new value. */
  sum(key: KvKey, value: bigint | number | KvU64, options?: KvExpireOptions): this
  /** Keeps the larger of what is stored and `value`: {@link KvAtomic.max}. */
  max(key: KvKey, value: bigint | number | KvU64, options?: KvExpireOptions): this
  /** Keeps the smaller of what is stored and `value`: {@link KvAtomic.min}. */
  min(key: KvKey, value: bigint | number | KvU64, options?: KvExpireOptions): this
  /** Adds values at the end of an array: {@link KvAtomic.append}. */
  append(key: KvKey, values: readonly unknown[], options?: KvExpireOptions): this
  /** Puts values before an array: {@link KvAtomic.prepend}. */
  prepend(key: KvKey, values: readonly unknown[], options?: KvExpireOptions): this
  /** Merges into a value, as {@link KvAtomic.patch}. */
  patch(key: KvKey, mergePatch: unknown, options?: KvExpireOptions): this
  /** Adds a message to a queue, when the transaction is committed. */
  enqueue(value: unknown, options?: KvEnqueueOptions): this
}

/** Options of {@link Kv.transaction}. */
export interface KvTransactionOptions {
  /** How often to run the function again after a conflict; default 10. 0 turns it off. */
  maxRetries?: number | undefined
  /**
   * The wait before retry n is at most `retryDelay * n`, and how much of that is chance; default `"10ms"`. Then those of this `Kv`
   * that conflict over one key run one after another.
   */
  retryDelay?: Duration | undefined
  /**
   * Aborts the transaction: it rejects with the reason of the signal, and has written nothing. Once the commit is
   * handed over it is too late: the commit says how it went, and is not tried again.
   */
  signal?: AbortSignal | undefined
}

/** What {@link Kv.transaction} gives; `ok: false` after a conflict that outlasted the retries. */
export type KvTransactionResult<R> =
  | {
      /** The transaction was committed. */
      ok: true
      /** What its function returned. */
      value: R
      /** The commit's versionstamp; of one that only read, the newest one. */
      versionstamp: string
    }
  | {
      /** A conflict outlasted the retries; nothing was written. */
      ok: false
      /** Present only if `ok`. */
      value?: undefined
      /** Present only if `ok`. */
      versionstamp?: undefined
    }

/**
 * A placeholder for the versionstamp of the commit that it is written in. Made by {@link
 * Kv.commitVersionstamp}.
 */
export interface KvVersionstampPlaceholder {
  /** What `Object.prototype.toString` shows. */
  readonly [Symbol.toStringTag]: "KvVersionstampPlaceholder"
}

/** A placeholder for a UUIDv7 that is new in each commit. Made by {@link Kv.uuidv7}. */
export interface KvUuidPlaceholder {
  /** What `Object.prototype.toString` shows. */
  readonly [Symbol.toStringTag]: "KvUuidPlaceholder"
}

/** The members of {@link KvNow} beside those of a number. */
export interface KvNowMethods {
  /** Later by a duration. */
  add(duration: Duration): KvNow
  /** Earlier by a duration. */
  sub(duration: Duration): KvNow
  /** The time at the moment of the call, in milliseconds since the epoch. */
  valueOf(): number
  /** The same, for `JSON.stringify`. */
  toJSON(): number
  /** The same, for arithmetic and comparisons; as text where text is wanted. */
  [Symbol.toPrimitive](hint: string): number | string
  /** What `Object.prototype.toString` shows. */
  readonly [Symbol.toStringTag]: "KvNow"
}

/**
 * The store's time, read when it is used: in arithmetic and as a stored value it is a number of milliseconds
 * since the epoch. It is an object, so that `typeof` says `"object"`; `Number(now)` and `+now` make a plain
 * number of it.
 *
 * @example
 * ```js
 * const now = kv.now()
 * console.log(now - 5, now.sub("24h") < now) // a number, true
 * await kv.set(["seen"], { at: kv.now() }) // stored as a number
 * ```
 */
export type KvNow = number & KvNowMethods

/** An unsigned 64-bit counter that wraps, as Deno KV has it. */
export class KvU64 {
  /** @throws {KvError} `INVALID_ARGUMENT` unless it is a bigint from 0 to 2^64 - 1. */
  constructor(value: bigint)
  /** The counter, from 0 to 2^64 - 1. */
  readonly value: bigint
  /** The same, for comparisons and arithmetic with bigints. */
  valueOf(): bigint
  /** The decimal digits. */
  toString(): string
}

/**
 * `"full"`: an awaited write survives a power cut (fsync a commit, shared by all that commit together).
 * `"normal"`: it survives `kill -9`; a power cut may lose the last commits, never half of one.
 * `"off"`: as `"normal"`, and a power cut may damage the file.
 */
export type KvDurability = "full" | "normal" | "off"

/** A span of OpenTelemetry, as far as it is used here. */
export interface KvSpan {
  /** Sets an attribute, such as `error.type`. */
  setAttribute(name: string, value: string): unknown
  /** Marks the span as failed (`code: 2`). */
  setStatus(status: { code: number; message?: string }): unknown
  /** Ends the span, when the call settles. */
  end(): void
}

/** A tracer of OpenTelemetry: `trace.getTracer("app")` of `@opentelemetry/api`. */
export interface KvTracer {
  /** Begins a span; called once a call, with its name such as `keyval.set`. */
  startSpan(name: string, options?: { kind?: number; attributes?: Record<string, string> }): KvSpan
}

/** Options of {@link Kv}. An option that is not listed is refused. */
export interface KvOptions {
  /** Default `"full"`. Commits that share an fsync take the strongest of them. */
  durability?: KvDurability | undefined
  /** How long a write waits for another process's write before `BUSY`; default `"5s"`, 0 to 1 hour. */
  busyTimeout?: Duration | undefined
  /** How often expired entries, locks and old dead letters are removed and the change log is trimmed; default `"60s"`, at least 10 ms; 0 turns it off. What has expired is never returned, swept or not. */
  sweepInterval?: Duration | undefined
  /**
   * What each commit notes of its changed keys: the key, the key and its value, or nothing. Default `"keys"`.
   * It lives in the file: only an explicit option changes it, for every opener. With `"off"`, {@link Kv.watch}, {@link Kv.changes} and
   * consumers are `UNSUPPORTED`; turned on again, the log starts empty.
   */
  changeLog?: "keys" | "values" | "off" | undefined
  /**
   * Gives each call that reads or writes entries, messages or indexes and returns a promise a span: `keyval.set` and so on, with `db.system.name` and `db.operation.name`; a call that
   * fails sets `error.type` to the error's code. Keys, values and messages of errors are never in a span. Default: a tracer of the provider that was
   * registered with `@opentelemetry/api` 1.x before this `Kv` was made, if there is one; `false`: none.
   */
  tracer?: KvTracer | false | undefined
  /** How long the change log is kept; default `"1h"`. Lives in the file, as `changeLog`. Changes that a consumer has not passed are kept for up to a week after its last call. */
  retention?: Duration | undefined
  /**
   * How long dead letters are kept; more than 0. Default: for ever, which `null` sets again. Lives in the file, as `changeLog`: only an explicit option
   * changes it. The sweep ({@link KvOptions.sweepInterval}) removes older ones.
   */
  deadLetterRetention?: Duration | null | undefined
}

/** What {@link Kv.watch} gives, and {@link Kv.listenQueue} with more. It keeps the process alive until it is stopped. */
export interface KvSubscription {
  /** Ends it at once: nothing is called any more. What runs at that moment runs on; {@link finished} waits for it. */
  stop(): void
  /** True after {@link stop}, after the `Kv` was closed, or after an error that ended it. */
  readonly closed: boolean
  /** Resolves when it is closed and no callback of it runs any more. Never rejects. */
  readonly finished: Promise<void>
  /** Calls {@link stop}, for `using`. */
  [Symbol.dispose](): void
}

/** Options of {@link KvListener.stop}. */
export interface KvStopOptions {
  /** How long handlers that run may go on; then their messages are given back. Default: until they end. */
  timeout?: Duration | undefined
}

/** What {@link Kv.listenQueue} gives. It keeps the process alive until it is stopped. */
export interface KvListener {
  /** Takes no more messages. Handlers that run at that moment run on; {@link finished} waits for them. */
  stop(): void
  /**
   * The same; resolves when every handler has ended, or after `timeout`: then the messages of those that still run go to other
   * listeners at once, and how their handlers end does not matter. Never rejects.
   * @throws {KvError} `INVALID_ARGUMENT`.
   */
  stop(options: KvStopOptions): Promise<void>
  /** True after {@link stop}, and after the `Kv` was closed. */
  readonly closed: boolean
  /** Resolves when it is closed and every handler has ended, or its message was given back. Never rejects. */
  readonly finished: Promise<void>
  /** Calls {@link stop} without a timeout, for `using`. */
  [Symbol.dispose](): void
}

/** What is watched: a key, up to 1000 keys, or what is under a prefix (`{ prefix: [] }`: everything). */
export type KvWatchTarget =
  | KvKey
  | readonly KvKey[]
  | {
      /** What `list(prefix)` shows: the keys under it, never itself. */
      prefix: KvKey
    }

/** Options of {@link Kv.watch}. */
export interface KvWatchOptions {
  /** Only the keys themselves, not what is under them; default `false`. Not for `{ prefix }`. */
  exact?: boolean | undefined
  /** Tell the current state first; default `true`. Not together with `from`. */
  emitInitial?: boolean | undefined
  /**
   * Go on after this commit: the `versionstamp` of a batch. If the log no longer reaches back, the first
   * batch says `reset: true` and the current state follows.
   */
  from?: string | undefined
  /**
   * The most changed keys of one batch, 1 to 10,000; beyond it keys are dropped, and `dropped` counts them.
   * Default `null`: nothing is ever dropped, and a batch has at most 500 keys and about 192 KiB (96 of the
   * current state).
   */
  bufferSize?: number | null | undefined
  /**
   * Which keys are dropped beyond `bufferSize`: those whose last change is oldest (the default), or newest.
   */
  overflowStrategy?: "drop-oldest" | "drop-newest" | undefined
  /**
   * Called with what the callback throws, and of errors of the store that the watch outlives, as an iterator too.
   * Default: `console.error`.
   */
  onError?: ((error: unknown) => void) | undefined
  /**
   * Stops the watch, as `stop` does. One that is aborted already is refused: its reason is thrown.
   */
  signal?: AbortSignal | undefined
}

/** What a batch of a watch is. */
export interface KvWatchInfo {
  /**
   * The resume token: every change up to this commit was reported. Pass it as `from`. Before the last batch
   * of the initial state, it resumes from the very beginning.
   */
  versionstamp: string
  /** The batch is part of the initial state. */
  initial: boolean
  /**
   * The initial state starts again with this batch: forget every key that it and the following initial
   * batches do not contain.
   */
  reset: boolean
  /** How many changed keys were left out since the batch before, by `bufferSize`. */
  dropped: number
}

/** What the iterator form of {@link Kv.watch} gives. */
export interface KvWatchBatch<T = unknown> extends KvWatchInfo {
  /**
   * Each changed key once, with its current value; `value: null, versionstamp: null` if it was deleted or has
   * expired.
   */
  entries: KvEntryMaybe<T>[]
}

/**
 * Called with each batch, and awaited before the next one. Changes made meanwhile are reported once, with the
 * value that is current then.
 */
export type KvWatchCallback<T = unknown> = (entries: KvEntryMaybe<T>[], info: KvWatchInfo) => unknown

/**
 * The iterator form of {@link Kv.watch}. Leaving the loop stops it; closing the `Kv` ends it. An error of the
 * store that another try may pass (`retryable`) is reported to `onError`, and it tries again; any other ends
 * it, and `next` rejects with it.
 */
export interface KvWatchIterator<T = unknown> extends AsyncIterableIterator<KvWatchBatch<T>> {
  /** Ends the watch: a waiting `next` gets `done: true`. */
  stop(): void
  /**
   * True after {@link stop}, after the loop was left, after the `Kv` was closed, or after an error that ended
   * it.
   */
  readonly closed: boolean
  /** The next batch: it waits for a change, or `done: true` when the watch has ended. */
  next(): Promise<IteratorResult<KvWatchBatch<T>, undefined>>
  /** Ends the iteration, as leaving a `for await` loop does. */
  return(): Promise<IteratorResult<KvWatchBatch<T>, undefined>>
  /** The iterator itself, for `for await`. */
  [Symbol.asyncIterator](): KvWatchIterator<T>
  /** Calls {@link stop}, for `using`. */
  [Symbol.dispose](): void
}

/** Options of {@link Kv.changes}. */
export interface KvChangesOptions {
  /** The first sequence number wanted, inclusive; default the oldest that is kept. */
  from?: number | undefined
  /** Only keys under this prefix, as `list` has it: never the prefix itself. */
  prefix?: KvKey | undefined
  /** The most changes to give; default none. */
  limit?: number | undefined
  /**
   * Wait for changes to come; default `false`: end with what is there. Keeps the process alive while it
   * waits.
   */
  live?: boolean | undefined
  /**
   * Called with errors of the store that another try may pass (`retryable`), which do not end a `live` feed: it
   * tries again, after 1 second up to 30. Default: `console.error`.
   */
  onError?: ((error: unknown) => void) | undefined
}

/** One change of one key in one commit. A key that came and went within a commit has none. */
export interface KvChange<T = unknown> {
  /** Its number: grows by one with each change, and is never given twice. */
  seq: number
  /** The key that changed. */
  key: KvKey
  /** `"create"`: the key was absent before; `"delete"`: deleted, or removed after its expiry. */
  type: "create" | "update" | "delete"
  /** The commit. Of several changes with one versionstamp the last is the end of that commit. */
  versionstamp: string
  /** What was written; only for changes that were made under `changeLog: "values"`. */
  value?: T
}

/** What {@link Kv.changes} gives. */
export interface KvChangesIterator<T = unknown> extends AsyncIterableIterator<KvChange<T>> {
  /** The next change; with `live` it waits for one, or `done: true` at the end. */
  next(): Promise<IteratorResult<KvChange<T>, undefined>>
  /** Ends the iteration, as leaving a `for await` loop does. */
  return(): Promise<IteratorResult<KvChange<T>, undefined>>
  /** The iterator itself, for `for await`. */
  [Symbol.asyncIterator](): KvChangesIterator<T>
}

/** The change feed: {@link Kv.changes}. */
export interface KvChanges {
  /**
   * Reads the change log in commit order.
   * @throws {KvError} from `next()`: `HISTORY_GONE` if changes from `from` on, or from where the iterator
   *   is, were trimmed; `UNSUPPORTED` with `changeLog: "off"`; `CLOSED`, `CORRUPT`. Wrong arguments throw
   *   at once: `INVALID_ARGUMENT`.
   */
  <T = unknown>(options?: KvChangesOptions): KvChangesIterator<T>
  /** The newest sequence number; 0 if there was never a change. */
  head(): Promise<number>
  /** Forgets the changes up to and including `seq`; -1: all. Numbers go on where they were. */
  trim(seq: number): Promise<{ trimmedCount: number }>
}

/** Options of {@link Kv.consumer}. */
export interface KvConsumerOptions {
  /**
   * Only keys under this prefix, as `list` has it. A consumer that exists keeps its prefix; another one is
   * refused.
   */
  prefix?: KvKey | undefined
  /**
   * How long the position is this consumer's after a `read` or `commit`; default `"30s"`, 100 ms to 1 day.
   */
  lease?: Duration | undefined
  /**
   * Called with errors of the store that may pass, which do not end a `for await`: it tries again, after 1 second
   * up to 30. Default: `console.error`. `read` and `commit` reject with them.
   */
  onError?: ((error: unknown) => void) | undefined
}

/** The position and the lease of a consumer. */
export interface KvConsumerStatus {
  /** The consumer's name. */
  name: string
  /** The sequence number that was committed last; what follows it is to be read. */
  position: number
  /** The newest sequence number. */
  head: number
  /** `head - position`: changes of all keys that it has not passed. */
  lag: number
  /** Whether somebody holds the lease now. */
  held: boolean
  /** When the lease ends, in milliseconds since the epoch; `null` if nobody holds it. */
  leaseExpiresAt: number | null
}

/**
 * A durable position in the change log, held by one reader at a time. What was committed is not read again;
 * what was read and not committed is. Iterating reads on for ever, waits while another one holds the lease,
 * and commits what the loop body has finished.
 */
export interface KvConsumer<T = unknown> extends AsyncIterable<KvChange<T>> {
  /** The name that it was asked for by. */
  readonly name: string
  /**
   * Takes or renews the lease, and reads at most `limit` (1 to 1000, default 100) changes after the committed
   * position. It moves the position only where it finds none: past the changes of other keys.
   * @throws {KvError} `BUSY` if another holds the lease; `HISTORY_GONE`; `UNSUPPORTED` with `changeLog:
   *   "off"`.
   */
  read(limit?: number): Promise<KvChange<T>[]>
  /**
   * Moves the position to `seq` and renews the lease. Resolves when it is on disk.
   * @throws {KvError} `CONFLICT` if the lease was lost, or never taken; `INVALID_ARGUMENT` if `seq` is behind
   *   the position or beyond the head.
   */
  commit(seq: number): Promise<void>
  /**
   * Its position and lease; a consumer that never read is positioned before the oldest change that is kept.
   */
  status(): Promise<KvConsumerStatus>
  /** Gives the lease back, so that another may take it at once. */
  release(): Promise<void>
  /** Forgets the consumer, whoever holds it; `ok` is false if there was none. */
  delete(): Promise<{ ok: boolean }>
  /**
   * Takes the lease, reads on for ever, and commits each change when the loop body has finished it. It outlives
   * errors of the store that may pass ({@link KvConsumerOptions.onError}); any other ends it. Until it has ended, no
   * other reader of this process takes the lease, even if the body takes longer than that; loops of one object take
   * turns.
   */
  [Symbol.asyncIterator](): AsyncIterator<KvChange<T>, undefined>
  /** Calls {@link release}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Options of {@link Kv.enqueue}. */
export interface KvEnqueueOptions {
  /** When it is ready, from the commit on; default 0, at most 100 years. */
  delay?: Duration | undefined
  /** The waits before the second attempt, the third, and so on; default `[1000, 5000, 10000]`. `[]`: one attempt. At most 100. */
  backoffSchedule?: readonly Duration[] | undefined
  /**
   * Where the value is written when all attempts have failed, or the message is damaged on disk and its value
   * is not. At most 100 keys. One that a unique index refuses is left out, and the dead letter says so.
   */
  keysIfUndelivered?: readonly KvKey[] | undefined
  /**
   * `false`: no dead letter is kept when all attempts have failed; `keysIfUndelivered` are written all the same. Default `true`. A message
   * that is damaged on disk always leaves one.
   */
  deadLetter?: boolean | undefined
  /** Default `"default"`. Names: 1 to 1024 bytes of UTF-8. */
  queue?: string | undefined
  /** Messages of a queue with one ordering key are handled one at a time, in their order, by all listeners of all processes together. A retry holds up its key, and no other. */
  orderingKey?: string | undefined
  /** While a message with this key is pending or processing in the queue, another one is not added: the id of the first is returned. */
  deduplicationKey?: string | undefined
}

/** A message as its handler gets it. */
export interface KvMessage<T = unknown> {
  /** The message's id, a UUIDv7; the same in every attempt. */
  id: string
  /** What was enqueued. */
  value: T
  /** Which attempt this is, from 1. */
  attempts: number
}

/** Options of {@link Kv.listenQueue}. */
export interface KvListenOptions {
  /** Default `"default"`. */
  queue?: string | undefined
  /** How many messages are handled at a time, 1 to 1000; default 1. */
  concurrency?: number | undefined
  /** `true`, the default: a handler that ends has handled the message. `false`: call {@link Kv.ackMessage} or {@link Kv.nackMessage}; without, the lease runs out after the handler's end. */
  autoAck?: boolean | undefined
  /** How long a message stays this listener's if the process dies; extended while the handler runs. Default `"30s"`, 100 ms to 1 day. */
  lockDuration?: Duration | undefined
  /**
   * Called with what a handler throws, and of errors of the store that the listener outlives. Default: `console.error`. A message whose
   * stored value is damaged becomes a dead letter at once: this is called with `CORRUPT`, and no handler is called.
   */
  onError?: ((error: unknown, message?: KvMessage) => void) | undefined
  /**
   * Stops the listener, as `stop()` does. One that is aborted already is refused: its reason is thrown.
   */
  signal?: AbortSignal | undefined
}

/** What {@link Kv.queueStats} gives. */
export interface KvQueueStats {
  /** Waiting: ready, delayed, to be tried again, behind their ordering key, or with a lease that ran out. */
  pending: number
  /** Being handled. */
  processing: number
  /** In the dead letter queue. */
  dlq: number
  /** All of them. */
  total: number
}

/**
 * A message whose attempts have all failed, unless it was enqueued with `deadLetter: false`; or one that is
 * damaged on disk. What is no text of a damaged one is `\ufffd`, what is no number 0.
 */
export interface KvDeadLetter<T = unknown> {
  /** Its id in the dead letter queue. */
  id: string
  /** The id that it had in its queue. */
  originalId: string
  /** The message's value. The member is not there if the stored value is damaged. */
  value: T
  /**
   * What the handler threw last: its message; or what was passed to `nackMessage`; then the keys of
   * `keysIfUndelivered` that could not be written. Cut at 8 KiB.
   */
  errorMessage: string
  /** How many attempts failed. */
  attempts: number
  /** Milliseconds since the epoch. */
  originalCreatedAt: number
  /** Milliseconds since the epoch. */
  failedAt: number
  /** The queue that it was in. */
  queue: string
}

/** The dead letter queue of all queues, oldest first. */
export interface KvDeadLetters {
  /** `limit`: 1 to 1000, default 100. `offset`: how many to pass over, default 0. `queue`: of this queue alone. */
  list<T = unknown>(options?: {
    limit?: number | undefined
    offset?: number | undefined
    queue?: string | undefined
  }): Promise<KvDeadLetter<T>[]>
  /** Reads one; `null` if there is none of this id. */
  get<T = unknown>(id: string): Promise<KvDeadLetter<T> | null>
  /**
   * Puts it back into its queue, with all its attempts before it, under a new id; `ok` is false if there is
   * none.
   * @throws {KvError} `CORRUPT` if its queue, its schedule or one of its keys is damaged.
   */
  requeue(id: string): Promise<{ ok: true; id: string } | { ok: false; id?: undefined }>
  /** Deletes one; `ok` is false if there is none of this id. */
  delete(id: string): Promise<{ ok: boolean }>
  /** Deletes all, or (`queue`) those of one queue. */
  purge(options?: { queue?: string | undefined }): Promise<{ deletedCount: number }>
}

/** Options of {@link Kv.lock}. */
export interface KvLockOptions {
  /** It ends by itself after this time; default `"10m"`, 1 ms to 100 years. */
  duration?: Duration | undefined
  /**
   * The owner that asks; default a new one for each call. The same owner refreshes its lock: a new
   * `duration`, the same token.
   */
  owner?: string | undefined
  /**
   * Aborts the call: it rejects with the reason of the signal, and a lock that was taken all the same is given
   * back, unless it has an `owner` of yours, who may hold it by another call.
   */
  signal?: AbortSignal | undefined
}

/** What {@link Kv.lock} gives. */
export interface KvLock {
  /** Whether it is ours. */
  readonly acquired: boolean
  /**
   * The fencing token: larger than that of every earlier holder. Pass it to what the lock protects, which
   * refuses a smaller one than it has seen. 0n if it was not acquired.
   */
  readonly token: bigint
  /** The owner that it was asked for. */
  readonly owner: string
  /** When it ends by itself, in milliseconds since the epoch: ours, or the other's. */
  readonly expiresAt: number
  /** Gives it back; `ok` is false if it was not ours any more. */
  release(): Promise<{ ok: boolean }>
  /** Calls {@link release}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** What {@link KvLocks.status} gives. */
export type KvLockStatus =
  | {
      /** Somebody holds the lock. */
      held: true
      /** The holder's owner. */
      owner: string
      /** The holder's fencing token. */
      token: bigint
      /** When it ends by itself, in milliseconds since the epoch. */
      expiresAt: number
    }
  | {
      /** Nobody holds the lock. */
      held: false
      /** `null`: nobody holds it. */
      owner: null
      /** `null`: nobody holds it. */
      token: null
      /** `null`: nobody holds it. */
      expiresAt: null
    }

/** Locks: {@link Kv.lock}. */
export interface KvLocks {
  /**
   * Takes a lock if nobody else holds it, and says so at once; it does not wait.
   * @throws {KvError} `INVALID_ARGUMENT` (name, duration, owner), `BUSY`, `CLOSED`, `UNAVAILABLE`.
   */
  (name: string, options?: KvLockOptions): Promise<KvLock>
  /** Returns the current holder. */
  status(name: string): Promise<KvLockStatus>
}

/** An issue that a schema has with a value, as Standard Schema has it. */
export interface KvSchemaIssue {
  /** What is wrong, in words. */
  readonly message: string
  /** Where in the value; absent for the value itself. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/**
 * What {@link Kv.collection} needs of a schema: the interface of Standard Schema 1, which zod, valibot,
 * arktype and others have.
 */
export interface KvSchema<Input = unknown, Output = Input> {
  /** What the schema library provides. */
  readonly "~standard": {
    /** The version of Standard Schema. */
    readonly version: 1
    /** The library's name. */
    readonly vendor: string
    /** Checks a value; it may be async. */
    readonly validate: (value: unknown) => KvSchemaResult<Output> | Promise<KvSchemaResult<Output>>
    /** For the types alone; never read. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a schema makes of a value. */
export type KvSchemaResult<Output> =
  | {
      /** The value as the schema makes it: with defaults and transformations. */
      readonly value: Output
      /** Absent for a good value. */
      readonly issues?: undefined
    }
  | {
      /** What is wrong with the value. */
      readonly issues: readonly KvSchemaIssue[]
    }

/** What follows a collection's prefix in a key: one part, or several. */
export type KvCollectionId = KvKeyPart | KvKey

/** What a value of a type can be equal to. */
type KvEqualTo<T> = T extends number | bigint | KvU64
  ? number | bigint | KvU64 | KvNow
  : T extends Date
    ? Date | number | KvNow
    : T

/** What a value of a type has an order with. */
type KvOrderedWith<T> = T extends string ? string : Extract<KvEqualTo<T>, KvOrdered>

/** A condition on a field of a type; `null` stands for what may be absent. */
type KvConditionOf<T> = unknown extends T
  ? KvCondition
  :
      | KvEqualTo<Extract<T, KvFilterScalar>>
      | KvFilterOperators<KvEqualTo<T> | null, KvOrderedWith<T>, T>
      | KvFieldsOf<Exclude<T, KvFilterScalar>>

/** Fields of a type, those of each of a union's. */
type KvFieldsOf<T> = [T] extends [never]
  ? never
  : { readonly [K in KvNameOf<T>]?: KvConditionOf<Exclude<KvMemberOf<T, K>, undefined>> } & {
      readonly [path: `${string}.${string}` | `${string}[${string}`]: KvCondition
    }
type KvNameOf<T> = T extends unknown ? keyof T & string : never
type KvMemberOf<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never

/**
 * A filter on values of a type: names of its fields, or paths with a dot or a bracket, whose types are not
 * checked.
 */
export type KvWhereOf<T> = unknown extends T
  ? KvWhere
  : KvFilterOperators<KvEqualTo<T> | null, KvOrderedWith<T>, T> | KvFieldsOf<Exclude<T, KvFilterScalar>>

/**
 * Entries under one prefix, of one type. Values are checked when they are set, by the schema if there is one,
 * and what the schema makes of them is stored. What is read is not checked: it may have been written before,
 * or without the collection.
 */
export interface KvCollection<Input = unknown, Output = Input> {
  /** The prefix of all its keys. */
  readonly prefix: KvKey
  /** The key of an id. */
  key(id: KvCollectionId): KvKey
  /** Reads one entry. What is stored is not checked. */
  get(id: KvCollectionId): Promise<KvEntryMaybe<Output>>
  /**
   * Reads up to 1000 entries of one snapshot, in the order of the ids; a tuple of ids gives a tuple of
   * entries.
   */
  getMany<const Ids extends readonly KvCollectionId[]>(
    ids: Ids,
  ): Promise<{ -readonly [At in keyof Ids]: KvEntryMaybe<Output> }>
  /** Reads one entry without a promise; see {@link Kv.getSync}. */
  getSync(id: KvCollectionId): KvEntryMaybe<Output>
  /** As `getMany`, without a promise. */
  getManySync<const Ids extends readonly KvCollectionId[]>(
    ids: Ids,
  ): { -readonly [At in keyof Ids]: KvEntryMaybe<Output> }
  /** @throws {KvError} `INVALID_ARGUMENT` with the schema's issues in words, and as `cause`. */
  set(id: KvCollectionId, value: Input, options?: KvExpireOptions): Promise<KvSetResult>
  /** Deletes this entry, not what is under its key. */
  delete(id: KvCollectionId): Promise<KvDeleteResult>
  /** Lists all entries under the prefix, in the order of their keys. */
  list(options?: Omit<KvListOptions, "where" | "keysOnly">): KvListIterator<KvEntry<Output>>
  /** Lists what matches. */
  where(
    filter: KvWhereOf<Output>,
    options?: Omit<KvListOptions, "where" | "keysOnly">,
  ): KvListIterator<KvEntry<Output>>
  /** Counts all, or what matches. */
  count(filter?: KvWhereOf<Output>): Promise<number>
  /**
   * What the schema makes of a value, for writes that do not go through the collection:
   * `atomic().set(users.key(1), await users.parse(user))`.
   */
  parse(value: Input): Promise<Output>
}

/** A full-text index, for {@link Kv.search}. */
export interface KvSearchIndexOptions {
  /**
   * Paths of the fields whose words are found, 1 to 16: `"title"`, `"author.name"`, `"tags"` (all elements of
   * an array).
   */
  fields: readonly string[]
  /**
   * How text becomes words: `"unicode61"` (the default) by letters and digits, without case and accents;
   * `"porter"` also takes English words by their stem, so that `running` finds `run`; `"ascii"` knows ASCII
   * letters alone.
   */
  tokenize?: "unicode61" | "porter" | "ascii" | undefined
  /** Only of an ordered index. */
  on?: undefined
  /** Only of an ordered index. */
  unique?: undefined
}

/** An ordered index, which `where` uses by itself. */
export interface KvOrderedIndexOptions {
  /**
   * Paths of fields, 1 to 16. It serves a filter that says what the first of them equals, is between, or
   * begins with; the second one if the first is said to be equal, and so on.
   */
  on: readonly string[]
  /**
   * No two live entries under the prefix may have the same values: a commit that would make them fails with
   * `CONFLICT`, which names the key that has them. A `Date` counts as its milliseconds. An entry without a
   * number, bigint, {@link KvU64}, `Date`, string or boolean in one of the fields is in nobody's way. Default
   * `false`.
   */
  unique?: boolean | undefined
  /** Only of a full-text index. */
  fields?: undefined
  /** Only of a full-text index. */
  tokenize?: undefined
}

/** Options of {@link Kv.createIndex}: one or the other. */
export type KvIndexOptions = KvSearchIndexOptions | KvOrderedIndexOptions

/** An index, as {@link Kv.listIndexes} returns it. */
export type KvIndex = {
  /** The entries under this prefix are indexed. */
  prefix: KvKey
  /**
   * `"search"`, or the fields of an ordered index with commas between them; one with a comma in it, or called
   * `search`, is in quotation marks.
   */
  name: string
  /** Milliseconds since the epoch. */
  createdAt: number
} & (
  | {
      /** A full-text index, for {@link Kv.search}. */
      kind: "search"
      /** The paths whose words are indexed. */
      fields: string[]
      /** How text becomes words. */
      tokenize: "unicode61" | "porter" | "ascii"
      /** Only of an ordered index. */
      on?: undefined
      /** Only of an ordered index. */
      unique?: undefined
    }
  | {
      /** An ordered index, for filters. */
      kind: "ordered"
      /** The paths whose values are indexed, in order. */
      on: string[]
      /** Whether two live entries under the prefix may not have the same values. */
      unique: boolean
      /** Only of a full-text index. */
      fields?: undefined
      /** Only of a full-text index. */
      tokenize?: undefined
    }
)

/** What {@link Kv.explain} gives. */
export interface KvExplanation {
  /** The index that serves the filter; `null`: every entry of the range is read. */
  index: KvIndex | null
  /** How many entries are read and compared with the filter. */
  rowsRead: number
  /** How many live entries the range has. */
  entries: number
}

/** Options of {@link Kv.search}. */
export interface KvSearchOptions {
  /** The most entries to give; default none. */
  limit?: number | undefined
  /** Only entries that match this too; `limit` counts those. */
  where?: KvWhere | undefined
}

/** What {@link Kv.search} gives, best match first. */
export interface KvSearchIterator<T = unknown> extends AsyncIterableIterator<KvEntry<T>> {
  /** The next match, or `done: true` after the last one. */
  next(): Promise<IteratorResult<KvEntry<T>, undefined>>
  /** Ends the iteration, as leaving a `for await` loop does. */
  return(): Promise<IteratorResult<KvEntry<T>, undefined>>
  /** The iterator itself, for `for await`. */
  [Symbol.asyncIterator](): KvSearchIterator<T>
}

/** Counts and latency of one kind of operation, from {@link Kv.metrics}. */
export interface KvOperationMetrics {
  /** How many were made, failed ones too. */
  count: number
  /** How many failed. */
  errors: number
  /** From the call to its answer, as Rust sees them: reads of one tick and their one answer count each. */
  avgLatencyMs: number
}

/** What {@link Kv.metrics} gives. */
export interface KvMetrics {
  /**
   * What this `Kv` has done since it was opened, by name: `get` (keys read), `list` and `search` (pages),
   * `count`, `set`, `delete`, `touch`, `patch`, `enqueue` (commits of that alone), `atomic` (other commits),
   * `changes` (reads of the change log), `queue` (claims and settlements), `other`. What never happened is
   * not there.
   */
  operations: Record<string, KvOperationMetrics>
  /** Messages of all queues. */
  queue: KvQueueStats
  /** What is in the store, counted for this call. */
  storage: {
    /** Live entries. */
    entries: number
    /** The size of the data, without the write-ahead log. */
    sizeBytes: number
  }
}

/** What {@link Kv.info} gives. */
export interface KvInfo {
  /** The package's version. */
  version: string
  /** Where the data is. */
  backend: "file" | "memory"
  /** The url that was opened. */
  location: string
  /** A UUIDv7, made with the store. */
  databaseId: string
  /** The version of SQLite inside the addon's libSQL. */
  sqliteVersion: string
  /** See `docs/format.md`. */
  schemaVersion: number
  /** What the change log notes: {@link KvOptions.changeLog}. */
  changeLog: "keys" | "values" | "off"
  /** How long the change log is kept, in milliseconds. */
  retentionMs: number
  /** How long dead letters are kept, in milliseconds; `null`: for ever. See {@link KvOptions.deadLetterRetention}. */
  deadLetterRetentionMs: number | null
  /** What this store can do. */
  capabilities: {
    /** The largest value, encoded. */
    maxValueBytes: number
    /** The most keys of one `getMany`. */
    maxKeys: number
    /** What is written outlives `close`. */
    persistent: boolean
  }
}

/** How far a backup is. */
export interface KvBackupProgress {
  /** It only grows, and ends at `totalBytes`. */
  copiedBytes: number
  /** The size that the copy will have. */
  totalBytes: number
}

/** Options of {@link Kv.backup}. */
export interface KvBackupOptions {
  /** Replace an existing file at the path once the copy is complete; default `false`. */
  overwrite?: boolean | undefined
  /**
   * Called as the copy grows, at most every 4 MiB, and when it is whole, before it gets its name. It may be
   * async. An error that it throws stops the backup, which then rejects with it and leaves nothing behind.
   */
  onProgress?: ((progress: KvBackupProgress) => unknown) | undefined
}

/** What {@link Kv.backup} gives. */
export interface KvBackupResult {
  /** The size of the copy. */
  bytes: number
  /** The newest commit that the copy holds: it has this one and all before it, and none after it. */
  versionstamp: string
}

/**
 * A key-value database.
 *
 * Once its file, or the `-wal` or `-shm` of it, was moved, deleted or replaced, every call is `UNAVAILABLE` until each `Kv` on it is
 * closed: writes from the next one, reads some ten seconds later. `docs/durability.md` says who notices it, and when.
 *
 * @example
 * ```js
 * import { Kv } from "@buntime/keyval"
 *
 * const kv = new Kv("file:app.db")
 * await kv.set(["users", 1], { name: "Ada" }, { expiresIn: "7d" })
 * const user = await kv.get(["users", 1])
 * await kv.close()
 * ```
 */
export class Kv {
  /**
   * Opens a database, at once.
   *
   * @param url `file:app.db`, `./app.db`, `/abs/app.db` or a `file:` URL: an embedded libSQL file; a folder
   *   that is missing is created. `:memory:`: in memory, gone on close. None: `KEYVAL_URL` of the
   *   environment, else `LIBSQL_URL`, else `file:keyval.db`.
   * @throws {KvError} `INVALID_ARGUMENT` (url, options), `CORRUPT` (not a KeyVal database, or damaged),
   *   `UNSUPPORTED` (written by a newer version, or a kind of URL that this version does not open), `BUSY`
   *   (locked for longer than `busyTimeout`), `UNAVAILABLE` (cannot be opened: permissions, a full disk). The
   *   file is left untouched.
   *
   * @example
   * ```js
   * const fileStore = new Kv("file:app.db", { busyTimeout: "10s" })
   * const memoryStore = new Kv(":memory:")
   * ```
   */
  constructor(url?: string | URL, options?: KvOptions)

  /** True after {@link close} was called. */
  readonly closed: boolean

  /**
   * Reads the entry at a key. Calls of one tick are answered together, from one snapshot.
   * A read issued after a write was awaited sees it.
   * @throws {KvError} `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`, `CLOSED`, `CORRUPT`.
   *
   * @example
   * ```js
   * const { value, versionstamp } = await kv.get(["users", 1])
   * if (versionstamp === null) console.log("there is no such user")
   * else console.log(value)
   * ```
   */
  get<T = unknown>(key: KvKey, options?: KvGetOptions): Promise<KvEntryMaybe<T>>
  /** The same as {@link getMany}. An empty array is an empty list of keys, and gives `[]`. */
  get<Values extends KvTuple>(keys: KvKeys<Values>, options?: KvGetOptions): Promise<KvEntries<Values>>
  /** Reads the entries of a list of keys; `T` is the type of every value. */
  get<T = unknown>(keys: KvKeyList<T>, options?: KvGetOptions): Promise<KvEntryMaybe<T>[]>

  /**
   * Reads up to 1000 keys from one snapshot, in the order of the keys; `[]` gives `[]`.
   *
   * @example
   * ```ts
   * const [user, order] = await kv.getMany<[{ name: string }, { total: number }]>([["users", 1], ["orders", 7]])
   * console.log(user.value?.name, order.value?.total)
   * ```
   */
  getMany(keys: readonly KvKey[], options: KvGetManyOptions & { keysOnly: true }): Promise<KvKeyEntryMaybe[]>
  /** With values: `Values` are the types of the values of as many keys. */
  getMany<Values extends KvTuple>(
    keys: KvKeys<Values>,
    options?: KvGetManyOptions,
  ): Promise<KvEntries<Values>>
  /** Reads the entries of a list of keys; `T` is the type of every value. */
  getMany<T = unknown>(keys: KvKeyList<T>, options?: KvGetManyOptions): Promise<KvEntryMaybe<T>[]>

  /**
   * Reads the entry at a key without a promise, for hot paths. It sees what {@link get} sees: every write that was
   * awaited. Where the store is busy (another process recovers the file, a failed commit is being decided, in memory
   * a write), the call waits up to `busyTimeout`, and this thread with it.
   * @throws {KvError} as {@link get} rejects; `BUSY`; `UNSUPPORTED` for a store that is not on this machine.
   *
   * @example
   * ```js
   * const session = kv.getSync(["sessions", "a1b2"])
   * if (session.versionstamp === null) console.log("please log in")
   * ```
   */
  getSync<T = unknown>(key: KvKey): KvEntryMaybe<T>

  /**
   * Reads up to 1000 keys from one snapshot without a promise, as {@link getSync} does; `[]` gives `[]`.
   *
   * @example
   * ```ts
   * const [user, order] = kv.getManySync<[{ name: string }, { total: number }]>([["users", 1], ["orders", 7]])
   * console.log(user.value?.name, order.value?.total)
   * ```
   */
  getManySync(keys: readonly KvKey[], options: { keysOnly: true }): KvKeyEntryMaybe[]
  /** With values: `Values` are the types of the values of as many keys. */
  getManySync<Values extends KvTuple>(
    keys: KvKeys<Values>,
    options?: { keysOnly?: boolean | undefined },
  ): KvEntries<Values>
  /** Reads the entries of a list of keys; `T` is the type of every value. */
  getManySync<T = unknown>(
    keys: KvKeyList<T>,
    options?: { keysOnly?: boolean | undefined },
  ): KvEntryMaybe<T>[]

  /**
   * Reads a range in order, page by page. Every page is one snapshot; a long list may see writes that were
   * made while it ran, each key at most once.
   * @throws {KvError} `INVALID_ARGUMENT` (selector, cursor, options), `LIMIT_EXCEEDED`, `CLOSED`, `CORRUPT`.
   *
   * @example
   * ```js
   * for await (const { key, value } of kv.list(["users"], { limit: 10 })) console.log(key, value)
   * for await (const { key } of kv.list({ prefix: ["log"], start: ["log", 5] }, { reverse: true, keysOnly: true })) console.log(key)
   * ```
   */
  list(selector: KvKey | KvSelector, options: KvListOptions & { keysOnly: true }): KvListIterator<KvKeyEntry>
  /** As above, with the values; `T` is the type of every value. */
  list<T = unknown>(selector: KvKey | KvSelector, options?: KvListOptions): KvListIterator<KvEntry<T>>

  /**
   * Reads one page of the descendants of `prefix`.
   *
   * @example
   * ```js
   * const first = await kv.paginate(["users"], { limit: 20 })
   * const second = await kv.paginate(["users"], { limit: 20, cursor: first.cursor })
   * console.log(second.entries.length, second.hasMore)
   * ```
   */
  paginate(prefix: KvKey | KvSelector, options: KvPaginateOptions & { keysOnly: true }): Promise<KvKeyPage>
  /** As above, with the values; `T` is the type of every value. */
  paginate<T = unknown>(prefix: KvKey | KvSelector, options?: KvPaginateOptions): Promise<KvPage<T>>

  /**
   * Reads the distinct next parts under a prefix: what an explorer of keys shows below a node. It skips what is
   * under them, so that a child costs a look or two, however many entries it has.
   *
   * @example
   * ```js
   * const { children, hasMore } = await kv.children(["users"], { limit: 50, counts: true })
   * for (const { part, hasChildren, count } of children) console.log(part, hasChildren, count)
   * const last = children.at(-1)
   * if (hasMore && last) console.log(await kv.children(["users"], { limit: 50, after: last.part }))
   * ```
   */
  children(prefix: KvKey, options?: KvChildrenOptions): Promise<KvChildren>

  /**
   * Counts live entries of a range; for a key: its descendants.
   *
   * @example
   * ```js
   * const all = await kv.count(["users"])
   * const adults = await kv.count(["users"], { where: { age: { $gte: 18 } } })
   * ```
   */
  count(selector: KvKey | KvSelector, options?: KvCountOptions): Promise<number>

  /**
   * Writes a value. Resolves when it is on disk. Without `expiresIn` an earlier time to live is cleared.
   *
   * Values: anything JSON, and `undefined`, bigint, `NaN`, infinities, `-0`, `Date`, `RegExp`, `Map`, `Set`,
   * `ArrayBuffer`, typed arrays (a `Buffer` reads back as a `Uint8Array`), `Error`, boxed primitives, arrays
   * with holes, {@link KvU64}; instances of other classes are refused. An array, object, `Map`, `Set` or
   * `Error` that is in a value several times, or holds itself, does so when it is read. At most 16 MiB encoded,
   * nested at most 100 deep.
   * @throws {KvError} `INVALID_ARGUMENT` (with the path of the member that cannot be stored),
   *   `LIMIT_EXCEEDED`, `BUSY`, `CLOSED`, `UNAVAILABLE`.
   *
   * @example
   * ```js
   * await kv.set(["users", 1], { name: "Ada", joined: new Date() })
   * await kv.set(["sessions", "s1"], { user: 1 }, { expiresIn: "30m" })
   * ```
   */
  set(key: KvWriteKey, value: unknown, options?: KvExpireOptions): Promise<KvSetResult>

  /**
   * Loads many entries in commits of at most 1000 entries and about 4 MiB, with backpressure. Commits before
   * an error stay.
   *
   * @example
   * ```js
   * const entries = Array.from({ length: 10_000 }, (_, n) => ({ key: ["n", n], value: n * n }))
   * const { count } = await kv.setMany(entries, { onProgress: ({ count }) => console.log(`${count} on disk`) })
   * ```
   */
  setMany(
    entries: Iterable<KvSetEntry> | AsyncIterable<KvSetEntry>,
    options?: KvSetManyOptions,
  ): Promise<{ count: number }>

  /**
   * Deletes in one commit. A key takes itself **and everything under it** unless `exact`; a list of at most
   * 1000 keys likewise; a selector takes what `list(selector)` shows. `delete([])` is refused; wiping is
   * `delete({ prefix: [] })`.
   *
   * @example
   * ```js
   * await kv.delete(["users", 1]) // the user, and everything under ["users", 1]
   * await kv.delete(["users", 2], { exact: true }) // this key alone
   * const { deletedCount } = await kv.delete({ prefix: ["log"] }, { where: { level: "debug" } })
   * ```
   */
  delete(target: KvKey | readonly KvKey[] | KvSelector, options?: KvDeleteOptions): Promise<KvDeleteResult>

  /**
   * Gives a live entry a new time to live. Value and versionstamp stay, and nothing is noted in the change
   * log. `ok` is false if there is no such entry.
   *
   * @example
   * ```js
   * const { ok } = await kv.touch(["sessions", "s1"], { expiresIn: "30m" })
   * if (!ok) console.log("the session has expired")
   * ```
   */
  touch(key: KvKey, options: KvExpireOptions): Promise<{ ok: boolean }>

  /**
   * Finds entries under a prefix by their words, best match first (BM25). Every word of the query must be
   * there, in one of the fields of the index; nothing in a query is an operator, and none is an error. A
   * query without a letter or digit finds nothing; of more than 1000 different words the first 1000 count.
   * Pages are read as they are needed: entries that change meanwhile may be missed or given twice.
   * @throws {KvError} from `next()`: `INVALID_ARGUMENT` if no index of this prefix or of one above it exists;
   *   `CLOSED`. Wrong arguments throw at once.
   *
   * @example
   * ```js
   * await kv.createIndex(["posts"], { fields: ["title", "body"] })
   * for await (const { key, value } of kv.search(["posts"], "rain shoes", { limit: 20 })) console.log(key, value)
   * ```
   */
  search<T = unknown>(prefix: KvKey, query: string, options?: KvSearchOptions): KvSearchIterator<T>

  /**
   * Makes an index of the entries under a prefix, those that are stored already too, in one commit: of words,
   * for {@link search}, or of values, for filters. One with the same arguments is left as it is, so that an app
   * may call it on each start; otherwise the search index of the prefix, or the ordered one on the same fields, is replaced.
   * The database itself keeps it, whoever writes. An ordered index is used where it gives 10,000 entries or
   * fewer to look at; it saves reading, and never changes what is found.
   * @throws {KvError} `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`, `CONFLICT` (unique, and two entries have the same
   *   values), `BUSY`, `CLOSED`, `UNAVAILABLE`.
   *
   * @example
   * ```js
   * await kv.createIndex(["users"], { on: ["city", "age"] }) // for filters
   * await kv.createIndex(["users"], { on: ["mail"], unique: true })
   * await kv.createIndex(["posts"], { fields: ["title", "body"], tokenize: "porter" }) // for search
   * ```
   */
  createIndex(prefix: KvKey, options: KvIndexOptions): Promise<void>

  /**
   * All indexes, oldest first.
   *
   * @example
   * ```js
   * for (const { prefix, name, kind } of await kv.listIndexes()) console.log(prefix, name, kind)
   * ```
   */
  listIndexes(): Promise<KvIndex[]>

  /**
   * Removes the indexes of a prefix, or the one of a name; `ok` is false if there is none.
   *
   * @example
   * ```js
   * await kv.removeIndex(["users"], "city,age")
   * await kv.removeIndex(["posts"], "search")
   * ```
   */
  removeIndex(prefix: KvKey, name?: string): Promise<{ ok: boolean }>

  /**
   * Says which index serves a filter, and how many entries are read for it.
   *
   * @example
   * ```js
   * const { index, rowsRead } = await kv.explain(["users"], { city: "Bern" })
   * console.log(index?.name ?? "every entry is read", rowsRead)
   * ```
   */
  explain(selector: KvKey | KvSelector, where: KvWhere): Promise<KvExplanation>

  /**
   * Merges into a value in one atomic step ({@link KvAtomic.patch}); a missing one is made. With
   * `versionstamp` only if the entry has it (`null`: if it does not exist); otherwise `ok` is false and
   * `conflicts` has the current versionstamp.
   * @throws {KvError} `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`, `BUSY`, `CLOSED`, `UNAVAILABLE`.
   *
   * @example
   * ```js
   * await kv.patch(["users", 1], { city: "Berlin", phone: null }) // writes city, removes phone
   * const user = await kv.get(["users", 1])
   * const result = await kv.patch(["users", 1], { city: "Bern" }, { versionstamp: user.versionstamp })
   * if (!result.ok) console.log("changed meanwhile", result.conflicts)
   * ```
   */
  patch(
    key: KvKey,
    mergePatch: unknown,
    options?: KvExpireOptions & { versionstamp?: undefined },
  ): Promise<KvCommitResult<[undefined]>>
  /** With a `versionstamp` it may be refused: `ok: false`. */
  patch(
    key: KvKey,
    mergePatch: unknown,
    options?: KvPatchOptions,
  ): Promise<KvCommitResult<[undefined]> | KvCommitError>

  /**
   * Typed access to the entries under a prefix.
   * @throws {KvError} `INVALID_ARGUMENT` for a prefix without parts, or what is no schema.
   *
   * @example
   * ```ts
   * const users = kv.collection<{ name: string; age: number }>(["users"])
   * await users.set(1, { name: "Ada", age: 36 })
   * for await (const { value } of users.where({ age: { $gte: 18 } })) console.log(value.name)
   * ```
   */
  collection<T = unknown>(prefix: KvKey): KvCollection<T>
  /**
   * Typed access whose values are checked and made by a schema: of zod, valibot, arktype or another library
   * that follows Standard Schema.
   */
  collection<Input, Output>(prefix: KvKey, schema: KvSchema<Input, Output>): KvCollection<Input, Output>

  /**
   * Begins an atomic commit. Nothing is written before {@link KvAtomic.commit}.
   *
   * @example
   * ```js
   * const { results } = await kv.atomic().set(["orders", 1], { item: "lamp" }).sum(["order-count"], 1).commit()
   * console.log(results[1]) // the count: a bigint
   * ```
   */
  atomic(): KvAtomic & KvChain<object>

  /**
   * Runs a function whose reads are checked when its writes are committed. If it throws, nothing is applied
   * and the error is passed on; on a conflict it runs again, up to `maxRetries` times. One that only reads
   * writes nothing and gives the newest versionstamp.
   *
   * @example
   * ```js
   * const sold = await kv.transaction(async (tx) => {
   *   const left = Number((await tx.get(["stock"])).value)
   *   if (left > 0) tx.set(["stock"], left - 1)
   *   return left > 0
   * })
   * console.log(sold.ok, sold.value)
   * ```
   */
  transaction<R>(
    fn: (tx: KvTransaction) => R | Promise<R>,
    options?: KvTransactionOptions,
  ): Promise<KvTransactionResult<R>>

  /**
   * Reports changes. The watch holds a position in the change log, and no values: when it wakes, it reads
   * what changed since, each key once with its current value. A slow callback therefore gets fewer batches,
   * and memory stays bounded. After the last write it has reported the state of the store, except for keys
   * that `bufferSize` dropped.
   *
   * A key means itself and everything under it unless `exact`; `{ prefix }` means what `list` shows. The
   * initial state comes first, in batches of at most 500 entries that say `initial: true` (one without
   * entries, if there is nothing; with `exact`, absent keys too). Expiry is reported within a second of its
   * time. A commit of this process is reported at once; of another, within 25 ms in 95 % of cases.
   *
   * It begins with the call, which never waits: all that this process commits after it is reported. While the
   * store is busy (another process recovers the file after a crash), writes that follow wait until the watch
   * has begun, and an error of the store comes with the first batch instead.
   *
   * @throws {KvError} `INVALID_ARGUMENT` (target, options), `LIMIT_EXCEEDED` (over 1000 keys), `UNSUPPORTED`
   *   with `changeLog: "off"`, `CORRUPT`, `UNAVAILABLE`, `CLOSED`.
   *
   * @example
   * ```js
   * const watch = kv.watch({ prefix: ["config"] }, (entries) => {
   *   for (const { key, value } of entries) console.log(key, value)
   * })
   * watch.stop()
   * for await (const { entries, versionstamp } of kv.watch(["users", 1], { exact: true })) {
   *   console.log(entries[0]?.value, versionstamp)
   *   break
   * }
   * ```
   */
  watch<Values extends KvTuple>(
    keys: KvKeys<Values>,
    callback: KvWatchCallback<Values[number]>,
    options?: KvWatchOptions,
  ): KvSubscription
  /** The same; `T` is the type of every value. */
  watch<T = unknown>(
    target: KvWatchTargetOf<T>,
    callback: KvWatchCallback<T>,
    options?: KvWatchOptions,
  ): KvSubscription
  /** The same as an async iterator of batches. */
  watch<Values extends KvTuple>(
    keys: KvKeys<Values>,
    options?: KvWatchOptions,
  ): KvWatchIterator<Values[number]>
  /** The same as an async iterator; `T` is the type of every value. */
  watch<T = unknown>(target: KvWatchTargetOf<T>, options?: KvWatchOptions): KvWatchIterator<T>

  /**
   * The change feed.
   *
   * @example
   * ```js
   * for await (const { seq, type, key } of kv.changes({ prefix: ["users"] })) console.log(seq, type, key)
   * const head = await kv.changes.head()
   * for await (const change of kv.changes({ from: head + 1, live: true })) console.log(change.key)
   * ```
   */
  readonly changes: KvChanges

  /**
   * A named consumer of the change feed. Its position is in the store; creating the object reads and writes
   * nothing.
   *
   * @example
   * ```js
   * for await (const { key, type } of kv.consumer("mailing-list", { prefix: ["users"] })) {
   *   console.log(type, key) // committed when the body has ended; it goes on here after a restart
   * }
   * ```
   */
  consumer<T = unknown>(name: string, options?: KvConsumerOptions): KvConsumer<T>

  /**
   * Adds a message to a queue. Resolves when it is on disk. It is delivered at least once: a handler that
   * throws, or whose process dies, gets it again, `backoffSchedule` long; then its value goes to
   * `keysIfUndelivered` and to the dead letter queue (unless `deadLetter` is `false`), in one commit.
   * @throws {KvError} `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`, `BUSY`, `CLOSED`, `UNAVAILABLE`.
   *
   * @example
   * ```js
   * const { id } = await kv.enqueue({ to: "ada@example.org" }, { queue: "mail", delay: "5m", backoffSchedule: ["1s", "1m"] })
   * console.log(id)
   * ```
   */
  enqueue(value: unknown, options?: KvEnqueueOptions): Promise<{ ok: true; id: string }>

  /**
   * Handles messages, in the order in which they become ready, then in that of their commits. The attempt
   * counts when the handler starts. Several listeners, also of other processes, share the work.
   * @throws {KvError} `INVALID_ARGUMENT`, `CLOSED`.
   *
   * @example
   * ```js
   * const worker = kv.listenQueue(
   *   async ({ id, value, attempts }) => {
   *     console.log(id, value, attempts) // a handler that throws has failed: the message comes again
   *   },
   *   { queue: "mail", concurrency: 10 },
   * )
   * worker.stop()
   * await worker.finished
   * ```
   */
  listenQueue<T = unknown>(handler: (message: KvMessage<T>) => unknown, options?: KvListenOptions): KvListener

  /**
   * Says that a message was handled; for `autoAck: false`. Resolves when it is on disk.
   * @throws {KvError} `CONFLICT` if this `Kv` does not hold the message's lease (any more): it was or will be
   *   delivered to another.
   *
   * @example
   * ```js
   * kv.listenQueue(async ({ id }) => kv.ackMessage(id), { autoAck: false })
   * ```
   */
  ackMessage(id: string): Promise<void>

  /**
   * Says that the attempt failed: the message is tried again after its backoff, or goes to the dead letter
   * queue. Errors as for {@link ackMessage}.
   *
   * @example
   * ```js
   * kv.listenQueue(async ({ id }) => kv.nackMessage(id, { error: "no such address" }), { autoAck: false })
   * ```
   */
  nackMessage(id: string, options?: { error?: unknown }): Promise<void>

  /**
   * Counts messages, of one queue or of all.
   *
   * @example
   * ```js
   * const { pending, processing, dlq } = await kv.queueStats("mail")
   * console.log(pending, processing, dlq)
   * ```
   */
  queueStats(queue?: string): Promise<KvQueueStats>

  /**
   * The dead letter queue.
   *
   * @example
   * ```js
   * for (const { id, value, errorMessage } of await kv.dlq.list({ queue: "mail" })) {
   *   console.log(value, errorMessage)
   *   await kv.dlq.requeue(id)
   * }
   * ```
   */
  readonly dlq: KvDeadLetters

  /**
   * Locks that end by themselves, with fencing tokens.
   *
   * @example
   * ```js
   * const lock = await kv.lock("nightly-report", { duration: "5m" })
   * if (lock.acquired) {
   *   console.log("it is ours, token", lock.token)
   *   await lock.release()
   * }
   * ```
   */
  readonly lock: KvLocks

  /**
   * A placeholder: as the last part of a key that is set it becomes the commit's versionstamp.
   *
   * @example
   * ```js
   * await kv.set(["log", kv.commitVersionstamp()], "keys in commit order")
   * ```
   */
  commitVersionstamp(): KvVersionstampPlaceholder

  /**
   * A placeholder: in keys and values of one commit every one becomes the same new UUIDv7.
   *
   * @example
   * ```js
   * await kv.set(["comments", kv.uuidv7()], { text: "keys in the order of time" })
   * ```
   */
  uuidv7(): KvUuidPlaceholder

  /**
   * The store's time.
   *
   * @example
   * ```js
   * await kv.set(["seen"], { at: kv.now() })
   * const old = await kv.count(["tasks"], { where: { dueAt: { $lt: kv.now().sub("24h") } } })
   * ```
   */
  now(): KvNow

  /**
   * Copies the store into a file, while it is read and written: one moment of it, with every commit that was
   * awaited before the call. The copy is one file that `new Kv(path)` opens, independent of this store. It
   * has its name only when it is whole and on disk; a folder that is missing is made.
   *
   * A file is copied on a thread of its own and holds up neither reads nor writes; the write-ahead log grows
   * by what is written meanwhile. In memory the copy needs the size of the store in memory once more, and
   * under constant writes readers and the writer wait for it once.
   *
   * @param path A path or a `file:` URL, as for {@link Kv}.
   * @throws {KvError} `INVALID_ARGUMENT` (path, options; the file exists; one of the store's own; beside a
   *   `-wal` of a database), `BUSY` (another backup of this process writes to the path), `UNAVAILABLE` (a
   *   full disk, permissions), `CLOSED` (also if it is closed meanwhile). Nothing is left behind then.
   *
   * @example
   * ```js
   * const { bytes, versionstamp } = await kv.backup("backups/app.db", { overwrite: true })
   * console.log(bytes, versionstamp)
   * ```
   */
  backup(path: string | URL, options?: KvBackupOptions): Promise<KvBackupResult>

  /**
   * Counts and latencies of what this `Kv` has done, and how much is in the store, which is counted for it.
   * `"prometheus"`: text for its scraper, with histograms of the latencies; all names begin with `keyval_`.
   *
   * @example
   * ```js
   * const { operations, storage } = await kv.metrics()
   * console.log(operations.set?.avgLatencyMs, storage.entries)
   * const text = await kv.metrics("prometheus")
   * ```
   */
  metrics(format?: "json"): Promise<KvMetrics>
  /** The same as text in Prometheus's format. */
  metrics(format: "prometheus"): Promise<string>

  /**
   * What the store is.
   *
   * @example
   * ```js
   * const { backend, sqliteVersion, databaseId } = await kv.info()
   * console.log(backend, sqliteVersion, databaseId)
   * ```
   */
  info(): Promise<KvInfo>

  /**
   * Closes. Idempotent; stops backups, watches and listeners; resolves when writes that were issued are on
   * disk and the file is released. A list, a search or a change feed that is being read rejects with
   * `CLOSED`, as later calls do; live feeds and watches end. An open, idle `Kv` does not keep the process
   * alive; a watch or a listener does until it is stopped. A message whose handler runs at that moment is
   * given back, and delivered to the next listener at once. A `Kv` that is dropped without it is closed when
   * the garbage collector finds it, once no call, watch or listener of it runs.
   *
   * @example
   * ```js
   * await kv.close() // waits for the writes that were issued
   * ```
   */
  close(): Promise<void>
  /** Calls {@link close} without waiting for it, for `using`. */
  [Symbol.dispose](): void
  /** Calls {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** What went wrong, for a program; `docs/errors.md` says what to do. */
export type KvErrorCode =
  | "INVALID_ARGUMENT"
  | "LIMIT_EXCEEDED"
  | "TYPE_MISMATCH"
  | "CLOSED"
  | "BUSY"
  | "CONFLICT"
  | "HISTORY_GONE"
  | "UNAVAILABLE"
  | "UNAUTHORIZED"
  | "CORRUPT"
  | "UNSUPPORTED"

/**
 * The one class of error. Messages name the argument, the value and the limit; they never hold a stored
 * value.
 */
export class KvError extends Error {
  /**
   * For tests of your own: the package makes its errors itself.
   *
   * @throws {KvError} `INVALID_ARGUMENT` for options that there are not.
   */
  constructor(
    code: KvErrorCode,
    message: string,
    options?: { cause?: unknown; outcome?: "unknown" | undefined },
  )
  /** Always `"KvError"`. */
  readonly name: "KvError"
  /** What went wrong; write programs against it, not against the message. */
  readonly code: KvErrorCode
  /** Whether the same call may succeed if it is made again. */
  readonly retryable: boolean
  /** `"unknown"` if the commit may have been applied. */
  readonly outcome?: "unknown"
  /**
   * The error behind it, where there is one: a {@link KvSystemError} for an error of the disk, the schema's issues for a
   * value that a collection refuses.
   */
  readonly cause?: unknown
}

/**
 * What the system said: the `cause` of a {@link KvError} that the disk or a file has caused. It says no more than is known:
 * each member may be missing.
 *
 * @example
 * ```js
 * const error = await kv.set(["a"], 1).catch((error) => error)
 * console.log(error.code, error.cause?.code, error.cause?.path) // UNAVAILABLE ENOSPC /srv/app.db-wal
 * ```
 */
export interface KvSystemError extends Error {
  /** The system's name of the error, `"EIO"`; where it is not known, SQLite's, `"SQLITE_CORRUPT"`. */
  readonly code?: string
  /** The system's number of it. */
  readonly errno?: number
  /** SQLite's extended result code, `"SQLITE_IOERR_FSYNC"`. */
  readonly sqlite?: string
  /** What was tried: `"read"`, `"write"`, `"sync"`, `"open"`, `"rename"` and the like. */
  readonly operation?: string
  /** The file or folder. Where SQLite does not say which of its files it was, that of the database. */
  readonly path?: string
}

/** The version of the package. */
export const version: string
