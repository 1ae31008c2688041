// watch.js <file> <name> <until, ms since the epoch>: reads, counts, watches and handles messages of its own
// beside the writers, all the time; prints `rss <bytes> <reads>` every few seconds, `wrong <what>` for what
// must not be, and `counted <n>` at the end.
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { print } from "../lines.js"
import { ACCOUNTS, accountKeys, MONEY } from "./workload.js"

const [file, name, until] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const TELL_MS = 5_000
const TIMEOUT_MS = 120_000
const counters = [
  ["counter", "all"],
  ["counter", "watch", name],
]
let [reads, counted, all, newest] = [0, 0n, 0n, ""]

/** The accounts as a watch tells them; and a watch of everything that is slow. */
const accounts = new Map()
kv.watch(["account"], (entries) => {
  for (const { key, value } of entries) accounts.set(key[1], value)
})
kv.watch({ prefix: [] }, () => wait(20))

/** Messages that were handled; this process is not killed, so each is handled once. */
const handled = new Set()
kv.listenQueue(
  ({ value }) => {
    if (handled.has(value)) print(`wrong lost: ${name} handled message ${value} twice`)
    handled.add(value)
  },
  { queue: name, concurrency: 4, lockDuration: "5m" },
)

async function isWatched() {
  const found = await kv.getMany(accountKeys)
  return found.every(({ key, value }) => accounts.get(key[1]) === value)
}

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
  const commit = kv.atomic().sum(counters[0], 1n).sum(counters[1], 1n)
  const { versionstamp } = await commit.enqueue(Number(counted), { queue: name }).commit()
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
  await wait(5)
}
// The writers are being killed: soon nothing changes any more. What was seen once is not asked again, as one
// may still live.
const deadline = Date.now() + TIMEOUT_MS
let [isHandled, isReported] = [false, false]
while (Date.now() < deadline && !(isHandled && isReported)) {
  await wait(20)
  isHandled = handled.size === Number(counted)
  isReported ||= await isWatched()
}
if (!isHandled) print(`wrong lost: ${name} handled ${handled.size} of ${counted} messages`)
if (!isReported) print(`wrong lost: the watch of ${name} has not seen the current accounts`)
await kv.close()
print(`counted ${counted}`)
