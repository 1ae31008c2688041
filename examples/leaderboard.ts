// A leaderboard: keys hold the score, so that they lie in its order.
import assert from "node:assert/strict"
import { Kv, type KvTransaction } from "@buntime/keyval"

const kv = new Kv(":memory:")

/** Adds points; a player's place in the order moves in the same commit. Gives the new score. */
async function addPoints(player: string, points: number) {
  const run = async (tx: KvTransaction) => {
    const { key, value: before } = await tx.get<number>(["scores", player])
    const score = (before ?? 0) + points
    if (before !== null) tx.delete(["ranking", before, player])
    tx.set(key, score).set(["ranking", score, player], null)
    return score
  }
  const { ok, value } = await kv.transaction(run, { maxRetries: 200, retryDelay: 1 })
  if (!ok) throw new Error("too many conflicts")
  return value
}

/** The best first. Reads `limit` entries, however many players there are. */
async function top(limit: number) {
  const players = []
  for await (const { key } of kv.list(["ranking"], { reverse: true, limit, keysOnly: true }))
    players.push({ player: key[2], score: key[1] })
  return players
}

/** 1 is the best; equal scores share a rank. Counts everyone above: its cost grows with the rank. */
async function rankOf(player: string) {
  const { value: score } = await kv.get<number>(["scores", player])
  // Scores are whole numbers, so the next one is score + 1.
  return score === null ? null : 1 + (await kv.count({ prefix: ["ranking"], start: ["ranking", score + 1] }))
}

const players = ["ada", "bob", "cyd", "dan", "eve"]
await Promise.all(Array.from({ length: 200 }, (_, n) => addPoints(players[n % 5] ?? "", 1 + (n % 5))))
assert.deepEqual(await top(3), [
  { player: "eve", score: 200 },
  { player: "dan", score: 160 },
  { player: "cyd", score: 120 },
])
assert.equal(await rankOf("bob"), 4)

assert.equal(await addPoints("ada", 1000), 1040)
assert.equal(await rankOf("ada"), 1)
assert.equal(await rankOf("nobody"), null)
assert.equal(await kv.count(["ranking"]), 5) // nobody is listed twice
await addPoints("bob", 40)
assert.deepEqual([await rankOf("bob"), await rankOf("cyd"), await rankOf("dan")], [4, 4, 3])

await kv.close()
console.log("leaderboard: ok")
