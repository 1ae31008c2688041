// Compiled, not run: programs as users of Deno KV write them. All of it must compile.
import {
  Kv,
  type KvCommitError,
  type KvCommitResult,
  type KvEntry,
  type KvEntryMaybe,
  type KvKey,
  type KvListIterator,
  type KvMutation,
  KvU64,
} from "@buntime/keyval"

const kv = new Kv(":memory:")
async function getAllUsers() {
  const users: { id: string }[] = []
  for await (const res of kv.list<{ id: string }>({ prefix: ["user"] })) users.push(res.value)
  return users
}
async function upsert(user: { id: string; email: string }) {
  const userKey = ["user", user.id]
  const byEmail = ["user_by_email", user.email]
  const oldUser = await kv.get<typeof user>(userKey)
  if (!oldUser.value) {
    const ok = await kv.atomic().check(oldUser).set(byEmail, user.id).set(userKey, user).commit()
    if (!ok) throw new Error("x")
    if (!ok.ok) throw new Error("conflict")
    return ok.versionstamp
  }
  const ok = await kv
    .atomic()
    .check(oldUser)
    .delete(["user_by_email", oldUser.value.email])
    .set(byEmail, user.id)
    .set(userKey, user)
    .commit()
  if (!ok.ok) throw new Error(JSON.stringify(ok.conflicts))
}
let res: { ok: boolean } = { ok: false }
while (!res.ok) {
  const r = await kv.get<number>(["n"])
  res = await kv
    .atomic()
    .check(r)
    .set(["n"], (r.value ?? 0) + 1)
    .commit()
}
let res2: KvCommitResult | KvCommitError = { ok: false, conflicts: [] }
while (!res2.ok)
  res2 = await kv
    .atomic()
    .check({ key: ["a"], versionstamp: null })
    .sum(["n"], 1n)
    .commit()
const muts: KvMutation[] = [
  { type: "sum", key: ["a"], value: new KvU64(1n) },
  { key: ["b"], type: "set", value: 1 },
]
let op = kv.atomic()
for (const m of muts) op = op.mutate(m)
await op.mutate(...muts).commit()
const it = kv.list<string>({ prefix: ["x"] }, { limit: 2 })
const arr: KvEntry<string>[] = []
for await (const e of it) arr.push(e)
const cursor: string = it.cursor
async function page(it: KvListIterator<KvEntry<string>>) {
  const { value, done } = await it.next()
  if (!done) console.log(value.key)
  return cursor
}
const [a, b, c] = await kv.getMany<[string, number, boolean]>([["a"], ["b"], ["c"]])
console.log(a.value?.length, b.value?.toFixed(), c.value)
const key: KvKey = ["a", 1, 1n, true, new Uint8Array()]
const checks: KvEntryMaybe[] = await kv.getMany([["a"], ["b"]])
await kv
  .atomic()
  .check(...checks)
  .set(key, 1)
  .commit()
const views = await kv.get<KvU64>(["views"])
console.log(views.value ? views.value.value + 1n : 0n)
await kv
  .atomic()
  .mutate({ type: "sum", key: ["views"], value: new KvU64(1n) })
  .commit()
await kv.enqueue({ a: 1 }, { delay: 1000, keysIfUndelivered: [["x"]], backoffSchedule: [1000, 2000] })
kv.listenQueue(async (msg) => {
  const v = msg.value as { a: number }
  await kv.set(["done", msg.id], v.a)
})
const d = await kv.transaction(async (tx) => {
  const u = await tx.get<{ n: number }>(["u"])
  if (!u.value) return
  tx.set(u.key, { n: u.value.n + 1 })
  return u.value.n
})
if (d.ok) console.log(d.value?.toFixed())

export { arr, getAllUsers, page, upsert }
