// Statistics a day: requests, time, slowest, fastest, visitors. No read comes before a write.
import assert from "node:assert/strict"
import { Kv } from "@buntime/keyval"

const kv = new Kv(":memory:")
const KEEP = { expiresIn: "400d" }

/** Counts one request in one commit; `day` is "2026-01-31". Gives the day's number of requests. */
async function count(day: string, milliseconds: number) {
  const { results } = await kv
    .atomic()
    .sum(["stats", day, "requests"], 1, KEEP)
    .sum(["stats", day, "ms"], milliseconds, KEEP)
    .max(["stats", day, "slowest"], milliseconds, KEEP)
    .min(["stats", day, "fastest"], milliseconds, KEEP)
    .commit()
  return results[0]
}

/** Counts a visitor once a day: the check fails for who was seen. */
const visit = (day: string, visitor: string) =>
  kv
    .atomic()
    .check({ key: ["seen", day, visitor], versionstamp: null })
    .set(["seen", day, visitor], null, { expiresIn: "2d" })
    .sum(["stats", day, "visitors"], 1, KEEP)
    .commit()

/** The days of a range, as objects; `to` is exclusive. */
async function statistics(from: string, to: string) {
  const days: Record<string, Record<string, bigint>> = {}
  for await (const { key, value } of kv.list<bigint>({ start: ["stats", from], end: ["stats", to] })) {
    const [, day, name] = key.map(String) as [string, string, string]
    days[day] = { ...days[day], [name]: value }
  }
  return days
}

// 300 at once, and none is lost.
const requests = Array.from({ length: 300 }, (_, n) => count(`2026-01-0${1 + (n % 3)}`, 5 + n))
const results = await Promise.all(requests)
assert.equal(Math.max(...results.map(Number)), 100)
await Promise.all(["ada", "bob", "ada", "ada"].map((visitor) => visit("2026-01-02", visitor)))

assert.deepEqual(await statistics("2026-01-02", "2026-01-03"), {
  "2026-01-02": { requests: 100n, ms: 15_450n, slowest: 303n, fastest: 6n, visitors: 2n },
})
const january = Object.values(await statistics("2026-01", "2026-02"))
assert.equal(january.length, 3)
const total = january.reduce((sum, { requests = 0n }) => sum + requests, 0n)
const average = Number(january.reduce((sum, { ms = 0n }) => sum + ms, 0n)) / Number(total)
assert.equal(total, 300n)
assert.equal(average, 154.5)

await kv.close()
console.log("counters: ok")
