// Posts and their comments: children lie under a prefix that names their parent.
import assert from "node:assert/strict"
import { Kv, type KvTransaction } from "@buntime/keyval"

interface Comment {
  text: string
}

const kv = new Kv(":memory:")

/** Adds a comment, unless the post is gone. The id is a UUIDv7, so comments sort by time. */
async function addComment(postId: string, comment: Comment) {
  const add = async (tx: KvTransaction) => {
    const post = await tx.get(["posts", postId])
    if (post.versionstamp === null) return false
    tx.set(["comments", postId, kv.uuidv7()], comment)
    tx.sum(["comment-count", postId], 1)
    return true
  }
  const { ok, value } = await kv.transaction(add, { maxRetries: 50, retryDelay: 1 })
  if (!ok) throw new Error("too many conflicts")
  return value
}

/** A page of a post's comments, the newest first. */
const comments = (postId: string, cursor: string | null = null) =>
  kv.paginate<Comment>(["comments", postId], { limit: 10, reverse: true, cursor })

/** Deletes a post with all of its comments, in one commit. */
const deletePost = (postId: string) =>
  kv
    .atomic()
    .delete(["posts", postId])
    .delete({ prefix: ["comments", postId] })
    .delete(["comment-count", postId])
    .commit()

await kv.set(["posts", "a"], { title: "Keys" })
await kv.set(["posts", "b"], { title: "Values" })
for (let n = 1; n <= 12; n++) assert.equal(await addComment("a", { text: `comment ${n}` }), true)
await addComment("b", { text: "another post's" })
assert.equal(await addComment("c", { text: "lost" }), false)

const first = await comments("a")
assert.equal(first.entries.length, 10)
assert.equal(first.entries[0]?.value.text, "comment 12")
const second = await comments("a", first.cursor)
assert.deepEqual(
  second.entries.map(({ value }) => value.text),
  ["comment 2", "comment 1"],
)
assert.equal((await kv.get(["comment-count", "a"])).value, 12n)

// Deleting while others comment leaves no comment without a post: theirs came before, or was refused.
const late = Array.from({ length: 10 }, () => addComment("a", { text: "late" }))
await deletePost("a")
await Promise.all(late)
assert.equal(await kv.count(["comments", "a"]), 0)
assert.equal((await kv.get(["comment-count", "a"])).versionstamp, null)
assert.equal(await kv.count(["comments", "b"]), 1)

await kv.close()
console.log("one-to-many: ok")
