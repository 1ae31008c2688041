// Compiled, not run: what the types promise to users. A line under `@ts-expect-error` must not compile.
import {
  Kv,
  type KvAtomic,
  type KvChange,
  type KvEntry,
  type KvEntryMaybe,
  KvError,
  type KvErrorCode,
  type KvKey,
  type KvKeyEntry,
  type KvSubscription,
  KvU64,
  type KvWhere,
} from "@buntime/keyval"
import { trace } from "@opentelemetry/api"
import { type } from "arktype"
import * as v from "valibot"
import { z } from "zod"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_equal: Equal<A, B>): void {}

interface User {
  name: string
}

const getMany = (kv: Kv, keys: KvKey[]) => kv.getMany<User>(keys)

export async function contract(kv: Kv): Promise<void> {
  const entry = await kv.get<User>(["users", 1])
  same<typeof entry, KvEntryMaybe<User>>(true)
  // Presence is the versionstamp: after the check the value is the user's.
  if (entry.versionstamp !== null) same<typeof entry.value, User>(true)
  // @ts-expect-error: it may be absent
  entry.value.name

  same<Awaited<ReturnType<typeof getMany>>, KvEntryMaybe<User>[]>(true)
  const many = await kv.get<User>([
    ["users", 1],
    ["users", 2],
  ])
  same<typeof many, KvEntryMaybe<User>[]>(true)

  for await (const listed of kv.list<User>(["users"], { limit: 5, reverse: true }))
    same<typeof listed, KvEntry<User>>(true)
  for await (const listed of kv.list(["users"], { keysOnly: true })) {
    same<typeof listed, KvKeyEntry>(true)
    // @ts-expect-error: no value was read
    listed.value
  }

  const atomic: KvAtomic = kv
    .atomic()
    .check(entry)
    .sum(["n"], 1n)
    .set(["log", kv.uuidv7(), kv.commitVersionstamp()], 1)
  // @ts-expect-error: it was not committed
  await kv.atomic().set(["a"], 1)
  // @ts-expect-error: nor was this
  await kv.atomic()
  // @ts-expect-error: nor this
  const returned = async () => kv.atomic().set(["a"], 1)
  void returned
  const result = await atomic.commit()
  if (result.ok) same<typeof result.versionstamp, string>(true)
  else same<(typeof result.conflicts)[number]["versionstamp"], string | null>(true)

  const done = await kv.transaction(async (tx) => (await tx.get<number>(["n"])).value ?? 0, { maxRetries: 3 })
  if (done.ok) same<typeof done.value, number>(true)

  const copy = await kv.backup(new URL("file:///backup.db"), {
    overwrite: true,
    onProgress: ({ copiedBytes, totalBytes }) => void (copiedBytes / totalBytes).toFixed(),
  })
  same<typeof copy.bytes, number>(true)
  same<typeof copy.versionstamp, string>(true)

  same<KvU64["value"], bigint>(true)
  same<KvError["code"], KvErrorCode>(true)
  new KvU64(1n)
  new KvError("BUSY", "message", { cause: new Error() })

  // @ts-expect-error: null is no key part
  await kv.get(["a", null])
  // @ts-expect-error: a placeholder cannot be read
  await kv.get(["a", kv.uuidv7()])
  // @ts-expect-error: a misspelt option
  await kv.set(["a"], 1, { expiresin: 5 })
  // @ts-expect-error: an operand is an integer
  kv.atomic().sum(["a"], "1")
  // @ts-expect-error: a misspelt option
  await kv.backup("backup.db", { overWrite: true })
  // @ts-expect-error: not a durability
  new Kv(":memory:", { durability: "fast" })
}

/** What a callback gives is nobody's: an expression will do. */
export async function callbacks(kv: Kv): Promise<void> {
  const seen: unknown[] = []
  kv.watch(["a"], (entries) => seen.push(...entries))
  await kv.setMany([], { onProgress: ({ count }) => seen.push(count) })
  await kv.backup("backup.db", { onProgress: async (progress) => seen.push(progress) })
}

/** Under `exactOptionalPropertyTypes` too: what may be given may be undefined. */
export async function undefinedOptions(kv: Kv, text?: string, count?: number): Promise<void> {
  await kv.set(["a"], 1, { expiresIn: text })
  await kv.paginate(["a"], { cursor: text, limit: count })
  for await (const _ of kv.list(
    { prefix: ["a"], start: text === undefined ? text : [text] },
    { limit: count },
  ));
  await kv.enqueue(1, { queue: text, delay: count, orderingKey: text })
  kv.watch(["a"], () => 1, { from: text, bufferSize: count })
  await kv.createIndex(["a"], { on: ["b"], unique: undefined, fields: undefined })
}

export async function filters(kv: Kv): Promise<void> {
  const where: KvWhere = {
    name: "Ada",
    age: { $gte: 18, $not: { $in: [20, 30n] } },
    "tags[0]": kv.now().sub("1d"),
  }
  for await (const listed of kv.list<User>(["users"], { where })) same<typeof listed, KvEntry<User>>(true)
  for await (const listed of kv.list(["users"], { where: { $or: [where, { $not: where }] }, keysOnly: true }))
    same<typeof listed, KvKeyEntry>(true)
  same<Awaited<ReturnType<typeof kv.paginate<User>>>["entries"], KvEntry<User>[]>(true)
  await kv.paginate<User>(["users"], { where: { profile: { verified: true } }, limit: 5 })
  same<number, Awaited<ReturnType<typeof kv.count>>>(true)
  await kv.count({ prefix: [] }, { where: { $null: false } })
  await kv.delete([["a"], ["b"]], { where, exact: true })

  await kv.count([], {
    where: { at: kv.now(), by: { $eq: { id: 1 } }, tags: ["a"], map: new Map(), none: null },
  })

  // @ts-expect-error: no operator
  await kv.count([], { where: { age: { $gtt: 5 } } })
  // @ts-expect-error: nor beside one
  await kv.count([], { where: { age: { $gt: 5, $ltt: 6 } } })
  // @ts-expect-error: nor within others
  await kv.count([], { where: { $or: [{ profile: { age: { $gtt: 5 } } }] } })
  // @ts-expect-error: nor at the root
  await kv.count([], { where: { $orr: [] } })
  // @ts-expect-error: from and to
  await kv.count([], { where: { age: { $between: [1] } } })
  // @ts-expect-error: an object has no order
  await kv.count([], { where: { age: { $lt: { a: 1 } } } })
  // @ts-expect-error: undefined is refused
  await kv.count([], { where: { age: undefined } })
  // @ts-expect-error: a filter is an object
  kv.list(["users"], { where: "open" })
  // @ts-expect-error: there is no filter of null
  await kv.count(["users"], { where: null })
  // @ts-expect-error: a misspelt option would match everything
  await kv.delete(["users"], { were: where })
  // @ts-expect-error: a filter is an option, and no part of a selector
  await kv.count({ prefix: [], where })
  // @ts-expect-error: a get has a key, and no filter
  await kv.get(["users", 1], { where })
}

export async function live(kv: Kv): Promise<void> {
  const watch = kv.watch<User>(["users"], (entries, { versionstamp, initial, reset, dropped }) => {
    same<typeof entries, KvEntryMaybe<User>[]>(true)
    same<
      [typeof versionstamp, typeof initial, typeof reset, typeof dropped],
      [string, boolean, boolean, number]
    >(true)
  })
  same<typeof watch, KvSubscription>(true)
  for await (const { entries } of kv.watch<User>({ prefix: [] }, { emitInitial: false }))
    same<typeof entries, KvEntryMaybe<User>[]>(true)
  for await (const change of kv.changes<User>({ live: true })) same<typeof change, KvChange<User>>(true)
  for await (const change of kv.consumer<User>("c", { prefix: ["users"] }))
    same<typeof change, KvChange<User>>(true)
  await using lock = await kv.lock("name", { duration: "1m" })
  same<typeof lock.token, bigint>(true)
  const status = await kv.lock.status("name")
  if (status.held) same<typeof status.owner, string>(true)

  await kv.enqueue({ job: 1 }, { delay: "5s", backoffSchedule: ["1s", 5000], deadLetter: false })
  kv.listenQueue<User>(async ({ id, value, attempts }) => {
    same<[typeof id, typeof value, typeof attempts], [string, User, number]>(true)
  })
  const letter = await kv.dlq.get<User>("id")
  if (letter) same<typeof letter.value, User>(true)

  // @ts-expect-error: a watch of a prefix takes no start
  kv.watch({ prefix: [], start: ["a"] })
  // @ts-expect-error: not a strategy
  kv.watch(["a"], { overflowStrategy: "drop" })
  // @ts-expect-error: a handler comes first
  kv.listenQueue({ queue: "a" })
  // @ts-expect-error: a misspelt option
  await kv.enqueue(1, { orderingkey: "a" })
}

export function traced(): Kv {
  return new Kv(":memory:", { tracer: trace.getTracer("app") })
}

export async function collections(kv: Kv): Promise<void> {
  const users = kv.collection(["users"], z.object({ name: z.string(), age: z.number().default(0) }))
  await users.set(1, { name: "Ada" })
  const user = await users.get(1)
  if (user.versionstamp !== null) same<typeof user.value, { name: string; age: number }>(true)
  for await (const { value } of users.where({ age: { $gte: 18 }, "address.city": "Berlin" }))
    same<typeof value.age, number>(true)
  const notes = kv.collection<string>(["notes"])
  await notes.set(["a", 1], "text")
  kv.collection(["numbers"], type("number"))
  kv.collection(["words"], v.string())

  // @ts-expect-error: the schema wants a name
  await users.set(1, { age: 5 })
  // @ts-expect-error: not of the collection's type
  await notes.set(1, 5)
  // @ts-expect-error: an age is no string
  users.where({ age: "old" })
}

interface Task {
  title: string
  state: "open" | "done"
  points: number
  owner?: { name: string; since: Date }
  tags: string[]
}

export function typedFilters(kv: Kv): void {
  const tasks = kv.collection<Task>(["tasks"])
  tasks.where({ state: { $in: ["open"] }, points: { $between: [1, 5n] }, tags: { $contains: "a" } })
  tasks.where({ owner: { name: "Ada", since: { $lt: kv.now().sub("1d") } } })
  tasks.where({ owner: { $null: true }, points: 5n, "tags[0]": "a", "owner.name": { $startsWith: "A" } })
  tasks.where({ owner: { since: kv.now() }, $or: [{ title: "a" }, { $not: { points: 1 } }] })
  kv.collection<number>(["numbers"]).where({ $gt: 5 })
  kv.collection<Task | { state: "gone"; at: Date }>(["both"]).where({
    at: { $lt: kv.now() },
    state: { $in: ["gone", "open"] },
  })
  kv.collection(["any"]).where({ whatever: 5 })

  // @ts-expect-error: no such field
  tasks.where({ titel: "a" })
  // @ts-expect-error: nor in an object
  tasks.where({ owner: { nmae: "Ada" } })
  // @ts-expect-error: nor in $or
  tasks.where({ $or: [{ titel: "a" }] })
  // @ts-expect-error: not a state
  tasks.where({ state: "opne" })
  // @ts-expect-error: a number has no order with a string
  tasks.where({ points: { $gt: "5" } })
  // @ts-expect-error: no operator
  tasks.where({ points: { $gtt: 5 } })
  // @ts-expect-error: nor at a path
  tasks.where({ "owner.name": { $startWith: "A" } })
}

export async function search(kv: Kv): Promise<void> {
  await kv.createIndex(["users"], { fields: ["name", "tags"], tokenize: "porter" })
  for await (const { key, value, versionstamp } of kv.search<User>(["users"], "ada", {
    limit: 5,
    where: { age: 5 },
  }))
    same<[typeof key, typeof value, typeof versionstamp], [KvKey, User, string]>(true)
  const { value: first } = await kv.search(["users"], "ada").next()
  if (first) same<typeof first.value, unknown>(true)
  const [index] = await kv.listIndexes()
  if (index?.kind === "search") same<typeof index.tokenize, "unicode61" | "porter" | "ascii">(true)
  const removed = await kv.removeIndex(["users"])
  same<typeof removed, { ok: boolean }>(true)

  // @ts-expect-error: an index has fields
  await kv.createIndex(["users"], { tokenize: "porter" })
  // @ts-expect-error: words are never unique
  await kv.createIndex(["users"], { fields: ["name"], unique: true })
  // @ts-expect-error: one kind of index, or the other
  await kv.createIndex(["users"], { fields: ["name"], on: ["name"] })
  // @ts-expect-error: not a tokenizer
  await kv.createIndex(["users"], { fields: ["name"], tokenize: "trigram" })
  // @ts-expect-error: a query is text
  kv.search(["users"], ["ada"])
  // @ts-expect-error: a search has no cursor
  kv.search(["users"], "ada", { cursor: "a" })
}

export async function disposal(): Promise<void> {
  await using kv = new Kv(":memory:")
  await contract(kv)
  await filters(kv)
  await live(kv)
  await collections(kv)
  await search(kv)
}
