// Compiled, not run: lists of keys with the types of their values. A line under `@ts-expect-error` must not
// compile.
import type { Kv, KvContext, KvEntryMaybe, KvKey, KvTransaction } from "@buntime/keyval"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_equal: Equal<A, B>): void {}

type Pair = [number, string]

/**
 * A tuple of types asks for as many keys. Seen to fail: a list of another length compiled, and every entry
 * had the type of the tuple.
 */
export function wrongCounts(kv: Kv, tx: KvTransaction, db: KvContext, keys: KvKey[]): void {
  // @ts-expect-error: too few
  kv.getMany<Pair>([["a"]])
  // @ts-expect-error: too many
  kv.getMany<Pair>([["a"], ["b"], ["c"]])
  // @ts-expect-error: none
  kv.getMany<Pair>([])
  // @ts-expect-error: nobody knows how many
  kv.getMany<Pair>(keys)
  // @ts-expect-error: a tuple that is only read
  kv.getMany<readonly [number, string]>([["a"]])
  // @ts-expect-error: too few
  kv.get<Pair>([["a"]])
  // @ts-expect-error: too many, with options
  kv.get<Pair>([["a"], ["b"], ["c"]], { consistency: "strong" })
  // @ts-expect-error: too few
  tx.getMany<Pair>([["a"]])
  // @ts-expect-error: too few
  tx.get<Pair>([["a"]])
  // @ts-expect-error: too few
  db.getMany<Pair>([["a"]])
  // @ts-expect-error: too few
  db.get<Pair>([["a"]])
  // @ts-expect-error: too few
  kv.watch<Pair>([["a"]], () => {})
  // @ts-expect-error: too few
  kv.watch<Pair>([["a"]])
  // @ts-expect-error: too many
  kv.collection<string>(["notes"]).getMany<[number, string]>([1])
  // @ts-expect-error: no keys
  kv.getMany<string>([1, 2])
}

/** A value may be a tuple where there is one key, or where it may also be something else. */
export async function tupleValues(kv: Kv, tx: KvTransaction, keys: readonly KvKey[]): Promise<void> {
  const one = await kv.get<Pair>(["a"])
  same<typeof one, KvEntryMaybe<Pair>>(true)
  const [left, right] = await kv.getMany<[Pair, Pair]>([["a"], ["b"]])
  same<[typeof left, typeof right], [KvEntryMaybe<Pair>, KvEntryMaybe<Pair>]>(true)
  const several = await tx.getMany<Pair | null>(keys)
  same<typeof several, KvEntryMaybe<Pair | null>[]>(true)
  const lists = await kv.getMany<readonly number[]>(keys)
  same<typeof lists, KvEntryMaybe<readonly number[]>[]>(true)
  kv.watch<Pair>(["a"], (entries) => same<typeof entries, KvEntryMaybe<Pair>[]>(true))
  kv.watch<Pair>({ prefix: ["a"] }, (entries) => same<typeof entries, KvEntryMaybe<Pair>[]>(true))
}

/** A list of keys of any length. */
export async function lists(kv: Kv, tx: KvTransaction, keys: readonly KvKey[]): Promise<void> {
  // biome-ignore lint/suspicious/noExplicitAny: it is what is tested
  const anything: KvEntryMaybe<string>[] = await kv.getMany<any>(keys)
  const unknowns = await kv.getMany(keys)
  same<typeof unknowns, KvEntryMaybe[]>(true)
  const nothing = await kv.getMany<string>([])
  same<typeof nothing, KvEntryMaybe<string>[]>(true)
  const three = await kv.getMany<string>([["a"], ["b"], ["c"]])
  same<typeof three, KvEntryMaybe<string>[]>(true)
  await Promise.all([tx.getMany([]), kv.get([]), tx.get<string>(keys), anything])
  kv.watch(keys, () => {})
  kv.watch<string>(keys, (entries) => same<typeof entries, KvEntryMaybe<string>[]>(true))
}

/**
 * A generic function passes its own type on. Seen to fail: with another type than `unknown` for the members
 * of `KvKeyList`.
 */
export class Repository<T> {
  constructor(
    readonly kv: Kv,
    readonly db: KvContext,
  ) {}

  get(keys: readonly KvKey[]): Promise<KvEntryMaybe<T>[]> {
    return this.kv.get<T>(keys)
  }

  async values(ids: string[]): Promise<(T | null)[]> {
    const entries = await this.db.getMany<T>(ids.map((id) => ["a", id]))
    return entries.map(({ value }) => value)
  }

  lists(keys: KvKey[]): Promise<KvEntryMaybe<T[]>[]> {
    return this.kv.getMany<T[]>(keys)
  }

  watch(keys: KvKey[], seen: (value: T | null) => void): void {
    this.kv.watch<T>(keys, (entries) => {
      for (const { value } of entries) seen(value)
    })
    this.kv.watch<T>(keys).return?.()
  }
}

export function extending<T extends object, List extends string[]>(tx: KvTransaction, keys: KvKey[]) {
  const objects: Promise<KvEntryMaybe<T>[]> = tx.getMany<T>(keys)
  const parts: Promise<KvEntryMaybe<Partial<T> | null>[]> = tx.get<Partial<T> | null>(keys)
  const texts: Promise<KvEntryMaybe<List>[]> = tx.getMany<List>(keys)
  return [objects, parts, texts]
}

export async function pairOf<Left, Right>(kv: Kv): Promise<[Left | null, Right | null]> {
  const [left, right] = await kv.getMany<[Left, Right]>([["left"], ["right"]])
  return [left.value, right.value]
}
