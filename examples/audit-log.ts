// An audit log: each change and its entry are one commit, entries lie in commit order, and are read backwards
// in pages.
import assert from "node:assert/strict"
import { Kv, type KvKey, type KvTransaction } from "@buntime/keyval"

interface Document {
  edits: number
}
interface AuditEntry {
  who: string
  id: number
  before: Document | null
  after: Document | null
  /** The store's time, ms since the epoch. */
  at: number
}

const kv = new Kv(":memory:")

/**
 * Changes a document and says so, or does neither. A key that ends with the commit's versionstamp is always
 * new.
 */
async function change(id: number, who: string, edit: (before: Document | null) => Document | null) {
  const run = async (tx: KvTransaction) => {
    const { value: before } = await tx.get<Document>(["documents", id])
    const after = edit(before)
    if (after === null) tx.delete(["documents", id])
    else tx.set(["documents", id], after)
    const entry: AuditEntry = { who, id, before, after, at: kv.now() }
    tx.set(["audit", "all", kv.commitVersionstamp()], entry)
    tx.set(["audit", "document", id, kv.commitVersionstamp()], entry)
  }
  const { ok } = await kv.transaction(run, { maxRetries: 200, retryDelay: 1 })
  if (!ok) throw new Error("too many conflicts")
}

/** One page, the newest first: `cursor` is that of the page before. */
const newest = (cursor: string | null = null, limit = 10) =>
  kv.paginate<AuditEntry>(["audit", "all"], { reverse: true, limit, cursor })

/** What was written after an entry that was read: a reader goes on where it stopped. */
const since = (key: KvKey) =>
  kv.list<AuditEntry>({ prefix: ["audit", "all"], start: [...key, new Uint8Array()] })

await Promise.all(
  Array.from({ length: 25 }, (_, n) => change(n % 2, "ada", (doc) => ({ edits: (doc?.edits ?? 0) + 1 }))),
)
await assert.rejects(
  change(1, "eve", () => Object.assign(() => {}, { edits: 1 })),
  { code: "INVALID_ARGUMENT" }, // a function cannot be stored: no change, no entry
)

const entries = []
let page = await newest()
while (true) {
  entries.push(...page.entries)
  if (!page.hasMore) break
  page = await newest(page.cursor)
}
assert.equal(entries.length, 25)
assert.deepEqual(
  entries.map(({ key }) => key.at(-1)),
  entries
    .map(({ versionstamp }) => versionstamp)
    .toSorted()
    .reverse(),
)

// Each document's entries are a chain: what one left, the next one found.
let state: Document | null = null
for await (const { value } of kv.list<AuditEntry>(["audit", "document", 1])) {
  assert.deepEqual(value.before, state)
  state = value.after
}
assert.deepEqual(state, { edits: 12 })
assert.deepEqual((await kv.get(["documents", 1])).value, state)

await change(1, "bob", () => null)
const later = []
for await (const { value } of since(entries[0]?.key ?? [])) later.push(value)
assert.equal(later.length, 1)
assert.equal(later[0]?.who, "bob")
assert.equal(typeof later[0]?.at, "number")

await kv.close()
console.log("audit-log: ok")
