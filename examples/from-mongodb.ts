// MongoDB programs, written with KeyVal: a collection of articles with an index by author.
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { Kv, type KvKeyPart, type KvTransaction } from "@buntime/keyval"

interface Article {
  title: string
  author: string
  published: Date
  minutes: number
  tags: string[]
}

const kv = new Kv(":memory:")
const retries = { maxRetries: 100, retryDelay: 1 }

/** insertOne, with the index entry that createIndex({ author: 1, published: 1 }) would keep */
async function insert(article: Article) {
  const id = randomUUID()
  const key = ["articles", id]
  await kv
    .atomic()
    .check({ key, versionstamp: null })
    .set(key, article)
    .set(["articles-by-author", article.author, article.published.getTime(), id], null)
    .commit()
  return id
}

/** find({ author, published: { $gte: from } }).sort({ published: -1 }).limit(limit) */
async function byAuthor(author: string, { from = new Date(0), limit = 10 } = {}) {
  const prefix = ["articles-by-author", author]
  const range = { prefix, start: [...prefix, from.getTime()] }
  const keys: KvKeyPart[][] = []
  for await (const { key } of kv.list(range, { reverse: true, limit, keysOnly: true }))
    keys.push(["articles", ...key.slice(-1)])
  const found = await kv.getMany<Article>(keys)
  return found.flatMap(({ value }) => value ?? [])
}

/** find({ minutes: { $gt: 5 } }) without an index: a scan, and the condition in JavaScript */
async function* longReads() {
  for await (const { value } of kv.list<Article>(["articles"])) if (value.minutes > 5) yield value
}

/** updateOne({ _id }, { $set, $push: { tags } }): read, change, write; it runs again if another was faster */
async function update(id: string, { set = {}, push = [] }: { set?: Partial<Article>; push?: string[] }) {
  const run = async (tx: KvTransaction) => {
    const { key, value, versionstamp } = await tx.get<Article>(["articles", id])
    if (versionstamp === null) return { matchedCount: 0 }
    tx.set(key, { ...value, ...set, tags: [...value.tags, ...push] })
    return { matchedCount: 1 }
  }
  const { ok, value } = await kv.transaction(run, retries)
  if (!ok) throw new Error("too many conflicts")
  return value
}

/** updateOne({ _id }, { $inc: { views: 1 } }) many times a second: a counter has a key of its own */
const view = (id: string) => kv.atomic().sum(["article-views", id], 1).commit()

const day = (n: number) => new Date(Date.UTC(2026, 0, n))
const ids: string[] = []
for (let n = 1; n <= 9; n++) {
  const author = n % 3 === 0 ? "grace" : "ada"
  ids.push(await insert({ title: `No. ${n}`, author, published: day(n), minutes: n, tags: [] }))
}

const recent = await byAuthor("ada", { from: day(4), limit: 3 })
assert.deepEqual(
  recent.map(({ title }) => title),
  ["No. 8", "No. 7", "No. 5"],
)
assert.ok(recent[0]?.published instanceof Date)

const long = []
for await (const article of longReads()) long.push(article.minutes)
assert.deepEqual(long.sort(), [6, 7, 8, 9])

// Forty updates of one article at once: none is lost.
const [first = ""] = ids
const updates = Array.from({ length: 40 }, (_, n) => update(first, { push: [`tag ${n}`] }))
await Promise.all([...updates, ...Array.from({ length: 40 }, () => view(first))])
assert.equal((await kv.get<Article>(["articles", first])).value?.tags.length, 40)
assert.equal((await kv.get(["article-views", first])).value, 40n)
assert.deepEqual(await update("missing", { set: { minutes: 1 } }), { matchedCount: 0 })

// countDocuments({ author: "grace" })
assert.equal(await kv.count(["articles-by-author", "grace"]), 3)

await kv.close()
console.log("from-mongodb: ok")
