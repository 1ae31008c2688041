// soak-watch.js <file> <name> <until, ms since the epoch>: reads and counts beside the writers, all the time; prints
// `rss <bytes> <reads>` every few seconds, `wrong <what>` for what must not be, and `counted <n>` at the end.
import { Kv } from "@buntime/keyval"
import { print } from "./lines.js"
import { ACCOUNTS, accountKeys, MONEY } from "./soak-law.js"

const [file, name, until] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const TELL_MS = 5_000
const counters = [
  ["counter", "all"],
  ["counter", "watch", name],
]
let [reads, counted, all, newest] = [0, 0n, 0n, ""]

async function look() {
  const found = await kv.getMany([...accountKeys, ...counters])
  const total = found.slice(0, ACCOUNTS).reduce((sum, { value }) => sum + value, 0)
  if (total !== ACCOUNTS * MONEY) print(`wrong sums: ${name} sees ${total} in the accounts`)
  const [sum, own] = found.slice(ACCOUNTS).map(({ value }) => value ?? 0n)
  if (sum < all) print(`wrong lost: ${name} saw ${all} in the counter of all, and then ${sum}`)
  if (own !== counted) print(`wrong lost: ${name} counted ${counted}, its counter is ${own}`)
  all = sum
  await kv.paginate(["log"], { limit: 100 })
  for await (const { value } of kv.list(["large"], { limit: 2 }))
    if (!value.text) print("wrong torn: no text")
  reads += 3
}

async function count() {
  const { versionstamp } = await kv.atomic().sum(counters[0], 1n).sum(counters[1], 1n).commit()
  if (versionstamp <= newest) print(`wrong stamps: ${versionstamp} after ${newest}`)
  newest = versionstamp
  counted++
}

let next = 0
while (Date.now() < Number(until)) {
  for (let at = 0; at < 10; at++) await look()
  await count()
  if (Date.now() > next) {
    print(`rss ${process.memoryUsage.rss()} ${reads}`)
    next = Date.now() + TELL_MS
  }
  await new Promise((resolve) => setTimeout(resolve, 5))
}
await kv.close()
print(`counted ${counted}`)
