// Measurements by sensor and time: ranges, the newest, hourly sums that stay when the raw values expire.
import assert from "node:assert/strict"
import { Kv } from "@buntime/keyval"

interface Sample {
  sensor: string
  /** Milliseconds since the epoch. */
  at: number
  value: number
}

const kv = new Kv(":memory:")
const HOUR_MS = 3_600_000

/** Loads any iterable of samples; raw values are kept for 30 days. */
async function load(samples: Iterable<Sample>) {
  function* entries() {
    for (const { sensor, at, value } of samples) yield { key: ["raw", sensor, at], value, expiresIn: "30d" }
  }
  return (await kv.setMany(entries())).count
}

/** Raw values from `from` (inclusive) to `to` (exclusive). */
const between = (sensor: string, from: number, to: number) =>
  kv.list<number>({ start: ["raw", sensor, from], end: ["raw", sensor, to] })

async function latest(sensor: string) {
  for await (const { key, value } of kv.list<number>(["raw", sensor], { reverse: true, limit: 1 }))
    return { at: key[2], value }
  return null
}

/** Sums one hour up. Running it again gives the same, so a job that died is simply repeated. */
async function sumUp(sensor: string, hour: number) {
  let count = 0
  let sum = 0
  let max = Number.NEGATIVE_INFINITY
  for await (const { value } of between(sensor, hour, hour + HOUR_MS)) {
    count++
    sum += value
    max = Math.max(max, value)
  }
  if (count > 0) await kv.set(["hourly", sensor, hour], { count, mean: sum / count, max })
}

const start = Date.UTC(2026, 0, 1)
function* samples() {
  for (let minute = 0; minute < 48 * 60; minute++)
    yield { sensor: "roof", at: start + minute * 60_000, value: minute % 60 }
}
assert.equal(await load(samples()), 2880)

assert.deepEqual(await latest("roof"), { at: start + 2879 * 60_000, value: 59 })
assert.equal(await latest("cellar"), null)
const minutes: number[] = []
for await (const { key } of between("roof", start + HOUR_MS, start + HOUR_MS + 5 * 60_000))
  minutes.push(Number(key[2]))
assert.deepEqual(
  minutes.map((at) => (at - start) / 60_000),
  [60, 61, 62, 63, 64],
)

for (let hour = 0; hour < 48; hour++) await sumUp("roof", start + hour * HOUR_MS)
const day = []
for await (const { value } of kv.list<{ count: number; mean: number; max: number }>({
  start: ["hourly", "roof", start],
  end: ["hourly", "roof", start + 24 * HOUR_MS],
}))
  day.push(value)
assert.equal(day.length, 24)
assert.ok(day.every(({ count, mean, max }) => count === 60 && mean === 29.5 && max === 59))

await kv.close()
console.log("time-series: ok")
