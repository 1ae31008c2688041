// Compiled, not run: what the types know of results. A line under `@ts-expect-error` must not compile.
import type {
  Kv,
  KvAtomic,
  KvCheck,
  KvCommitError,
  KvCommitResult,
  KvContext,
  KvEntry,
  KvEntryMaybe,
  KvKey,
  KvKeyEntry,
  KvKeyEntryMaybe,
  KvLockStatus,
  KvMutation,
  KvMutationResult,
  KvTransaction,
  KvU64,
} from "@buntime/keyval"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_equal: Equal<A, B>): void {}

interface User {
  name: string
}
interface Order {
  total: number
}

/**
 * Each member of a union names the others' properties, so that they can be read before it is known which one
 * it is.
 */
export async function unions(kv: Kv): Promise<void> {
  const entry = await kv.get<User>(["users", 1])
  same<typeof entry.expiresAt, number | undefined>(true)
  same<typeof entry.value, User | null>(true)
  const { ok, value, versionstamp } = await kv.transaction(() => 5)
  same<[typeof value, typeof versionstamp], [number | undefined, string | undefined]>(true)
  if (ok) same<typeof value, number>(true)

  const result = await kv.atomic().check(entry).sum(["n"], 1).commit()
  same<typeof result.versionstamp, string | undefined>(true)
  same<typeof result.conflicts, KvCheck[] | undefined>(true)
  same<NonNullable<typeof result.results>, Known<[bigint]>>(true)
  console.log(result.conflicts?.[0]?.key, result.results?.[0])

  const again = await kv.dlq.requeue("id")
  same<typeof again.id, string | undefined>(true)
  for (const index of await kv.listIndexes()) {
    same<typeof index.fields, string[] | undefined>(true)
    same<typeof index.unique, boolean | undefined>(true)
    if (index.on !== undefined) same<typeof index.kind, "ordered">(true)
  }
  const status: KvLockStatus = await kv.lock.status("a")
  same<typeof status.owner, string | null>(true)
}

/** Results whose first ones are known. More may have been added in other statements. */
type Known<Results extends KvMutationResult[]> = [...Results, ...KvMutationResult[]]

/** Results are known by what was chained. */
export async function commits(kv: Kv, mutations: KvMutation[], u64: KvU64): Promise<void> {
  const every = await kv
    .atomic()
    .set(["a"], 1)
    .sum(["b"], 1)
    .max(["b"], 2n)
    .min(["b"], 2)
    .append(["c"], [1])
    .prepend(["c"], [0])
    .delete(["d"])
    .patch(["e"], { a: 1 })
    .enqueue("message")
    .commit()
  same<
    typeof every,
    KvCommitResult<Known<[undefined, bigint, bigint, bigint, number, number, number, undefined, undefined]>>
  >(true)
  const counted: bigint = every.results[1] + 1n

  // Without a check a commit cannot be refused.
  const { results } = await kv.atomic().sum(["n"], counted).commit()
  same<typeof results, Known<[bigint]>>(true)
  const checked = await kv
    .atomic()
    .sum(["n"], 1)
    .check({ key: ["a"], versionstamp: null })
    .commit()
  same<typeof checked, KvCommitResult<Known<[bigint]>> | KvCommitError>(true)
  // @ts-expect-error: it may have been refused
  checked.results[0]
  // @ts-expect-error: of what may follow nothing is known
  results[1] + 1n

  const wrapping = await kv.atomic().sum(["views"], u64).commit()
  same<(typeof wrapping.results)[0], KvU64>(true)
  same<(typeof wrapping.results)[0]["value"], bigint>(true)

  const given = await kv
    .atomic()
    .set(["a"], 1)
    .mutate(
      { type: "sum", key: ["n"], value: 1n },
      { type: "delete", key: ["a"] },
      { type: "append", key: ["c"], value: [1] },
      { type: "set", key: ["a"], value: u64 },
    )
    .commit()
  same<typeof given.results, Known<[undefined, bigint, number, number, undefined]>>(true)
  const unknownMany = await kv
    .atomic()
    .mutate(...mutations)
    .commit()
  same<typeof unknownMany, KvCommitResult | KvCommitError>(true)
}

/** What is built in several statements: nothing is assumed. */
export async function statements(kv: Kv, keys: KvKey[]): Promise<void> {
  const commit = kv.atomic()
  for (const key of keys) commit.sum(key, 1)
  commit.check({ key: ["a"], versionstamp: null })
  const result = await commit.commit()
  same<typeof result, KvCommitResult | KvCommitError>(true)

  let chain: KvAtomic = kv.atomic()
  for (const key of keys) chain = chain.set(key, 1).sum(["n"], 1)
  const fromAny = await chain.commit()
  same<typeof fromAny, KvCommitResult | KvCommitError>(true)

  // Deno programs build in all of these ways.
  let built = kv.atomic()
  for (const key of keys) built = built.set(key, 1)
  built = built.check({ key: ["a"], versionstamp: null })
  const fromStart = await built.commit()
  same<typeof fromStart, KvCommitResult | KvCommitError>(true)
  let longer = kv.atomic().set(["x"], 1)
  if (keys.length > 1)
    longer = longer
      .delete(["x"])
      .sum(["n"], 1)
      .check({ key: ["a"], versionstamp: null })
  const fromSet = await longer.commit()
  same<typeof fromSet, KvCommitResult<Known<[undefined]>>>(true)
  let checked = kv.atomic().check({ key: ["a"], versionstamp: null })
  checked = checked.set(["x"], 1).mutate({ type: "delete", key: ["x"] })
  const fromCheck = await checked.commit()
  same<typeof fromCheck, KvCommitResult | KvCommitError>(true)
  const builders: KvAtomic[] = [kv.atomic(), longer, checked, kv.atomic().sum(["n"], 1)]
  for (const builder of builders) await builder.commit()

  const add = (to: KvAtomic): KvAtomic => to.set(["a"], 1)
  await add(kv.atomic().sum(["n"], 1).check()).commit()

  // Deno's loop of a check and its retry.
  let done: { ok: boolean } = { ok: false }
  while (!done.ok)
    done = await kv
      .atomic()
      .check(await kv.get(["a"]))
      .set(["a"], 1)
      .commit()
}

export async function patches(kv: Kv, stamp: string | null): Promise<void> {
  const free = await kv.patch(["a"], { b: 1 }, { expiresIn: "1h" })
  same<typeof free, KvCommitResult<[undefined]>>(true)
  const bound = await kv.patch(["a"], { b: 1 }, { versionstamp: stamp })
  same<typeof bound, KvCommitResult<[undefined]> | KvCommitError>(true)
}

/** A tuple of keys gives a tuple of entries. */
export async function tuples(kv: Kv, tx: KvTransaction, keys: KvKey[]): Promise<void> {
  const [user, order] = await kv.getMany<[User, Order]>([
    ["users", 1],
    ["orders", 1],
  ])
  same<typeof user, KvEntryMaybe<User>>(true)
  same<typeof order, KvEntryMaybe<Order>>(true)
  const [first, second] = await kv.get<[User, Order]>([["a"], ["b"]])
  same<[typeof first.value, typeof second.value], [User | null, Order | null]>(true)
  const [one, two] = await tx.getMany<[User, Order]>([["a"], ["b"]])
  same<[typeof one.value, typeof two.value], [User | null, Order | null]>(true)

  // Without types: as many entries as keys, so that each is there under `noUncheckedIndexedAccess`.
  const [x, y] = await kv.getMany([["a"], ["b"]])
  same<[typeof x, typeof y], [KvEntryMaybe, KvEntryMaybe]>(true)
  const pair = [["a"], ["b", 1]] as const
  const [left, right] = await kv.getMany<[User, Order]>(pair)
  same<[typeof left.value, typeof right.value], [User | null, Order | null]>(true)
  const many = await kv.getMany<User>(keys)
  same<typeof many, KvEntryMaybe<User>[]>(true)
  const lists = await kv.getMany<string[]>(keys)
  same<typeof lists, KvEntryMaybe<string[]>[]>(true)
  const single = await kv.get<[number, number]>(["point"])
  same<typeof single, KvEntryMaybe<[number, number]>>(true)

  const [user1, order1] = kv.getManySync<[User, Order]>([["a"], ["b"]])
  same<[typeof user1, typeof order1], [KvEntryMaybe<User>, KvEntryMaybe<Order>]>(true)
  const manySync = kv.getManySync<User>(keys)
  same<typeof manySync, KvEntryMaybe<User>[]>(true)
  const singleSync = kv.getSync<User>(["a"])
  same<typeof singleSync, KvEntryMaybe<User>>(true)

  const known = await kv.getMany(keys, { keysOnly: true })
  same<typeof known, KvKeyEntryMaybe[]>(true)
  const knownSync = kv.getManySync(keys, { keysOnly: true })
  same<typeof knownSync, KvKeyEntryMaybe[]>(true)
  // @ts-expect-error: no value was read
  known[0]?.value
  const keyPage = await kv.paginate(["a"], { keysOnly: true, after: ["a", 1] })
  same<typeof keyPage.entries, KvKeyEntry[]>(true)
  const wholePage = await kv.paginate<User>(["a"], { after: new Uint8Array(1) })
  same<typeof wholePage.entries, KvEntry<User>[]>(true)
  const { children } = await kv.children(["a"], { after: "b", counts: "exact" })
  same<(typeof children)[0]["count"], number | "1000+" | undefined>(true)
  // @ts-expect-error: a part, not a key
  kv.children(["a"], { after: ["b"] })
  kv.list(["a"], { signal: new AbortController().signal, start: ["a", 1] })
  // @ts-expect-error: a controller is no signal
  kv.lock("a", { signal: new AbortController() })

  const notes = kv.collection<string>(["notes"])
  const [noteSync] = notes.getManySync([1, 2])
  same<[typeof noteSync, ReturnType<typeof notes.getSync>], [KvEntryMaybe<string>, KvEntryMaybe<string>]>(
    true,
  )
  const [note] = await notes.getMany([1, 2])
  same<typeof note, KvEntryMaybe<string>>(true)

  for await (const { entries } of kv.watch<[User, Order]>([["a"], ["b"]], { exact: true }))
    same<typeof entries, KvEntryMaybe<User | Order>[]>(true)
  kv.watch<[User, Order]>([["a"], ["b"]], (entries) =>
    same<typeof entries, KvEntryMaybe<User | Order>[]>(true),
  )
}

export async function counters(kv: Kv): Promise<void> {
  const { value } = await kv.get<KvU64>(["views"])
  same<typeof value, KvU64 | null>(true)
  if (value !== null) same<typeof value.value, bigint>(true)
  for await (const { value } of kv.list<KvU64>(["views"])) same<typeof value, KvU64>(true)
}

/** The store's time is a number to the types, and a placeholder to the store. */
export async function now(kv: Kv): Promise<void> {
  const difference: number = kv.now() - 5
  const sooner: boolean = kv.now().sub("1h") < kv.now().add(difference)
  await kv.set(["a"], { at: kv.now(), sooner })
  await kv.count([], { where: { at: { $lt: kv.now().sub("24h") } } })
  new Date(+kv.now()).toISOString()

  // @ts-expect-error: a number has no add
  ;(5).add("1h")
  // @ts-expect-error: not a duration
  kv.now().add({ hours: 1 })
}

/** One function for a `Kv` and for a transaction. */
export async function contexts(kv: Kv): Promise<void> {
  const rename = async (db: KvContext, id: number, name: string) => {
    const user = await db.get<User>(["users", id])
    const [a, b] = await db.getMany<[User, Order]>([["a"], ["b"]])
    same<[typeof a, typeof b], [KvEntryMaybe<User>, KvEntryMaybe<Order>]>(true)
    await db.set(["users", id], { ...user.value, name }, { expiresIn: "1h" })
    db.patch(["users", id], { name })
    db.enqueue({ renamed: id })
  }
  await rename(kv, 1, "Ada")
  await kv.transaction((tx) => rename(tx, 1, "Ada"))

  // @ts-expect-error: a builder of a commit reads nothing
  await rename(kv.atomic(), 1, "Ada")
}
