// waiters.js <checkout> <folder> <what> <ms> <count>…: a store for each count, with that many waiters for
// something that never comes. Calls the stores in turns, and prints the µs per call beside so many waiters,
// with the time of all threads, turn by turn.
import { join, resolve } from "node:path"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { pathToFileURL } from "node:url"
import { ENTRIES, itemKey, newValue } from "../data.js"
import { Random } from "../random.js"

/** Calls to one store in a turn. */
const CALLS = 64
/** Keeps the work that follows the calls to one store out of the time of the next. */
const PAUSE_MS = 20

const [, , root, folder, what, ms, ...counts] = process.argv
const { Kv } = await import(pathToFileURL(resolve(root, "dist/index.js")))
const random = new Random(8)
const randomValue = () => newValue(random.below(ENTRIES), random)
const times = (count, make) => Promise.all(Array.from({ length: count }, (_, at) => make(at)))

function unexpected() {
  throw new Error("nothing comes for it")
}

/** Each reader reads one change, which proves that it works, and waits for the next one. */
async function read(kv, count, readerOf) {
  const readers = Array.from({ length: count }, (_, at) => readerOf(at)[Symbol.asyncIterator]())
  const first = readers.map((reader) => reader.next())
  await times(count, (at) => kv.set(["idle", at, "first"], 0))
  await Promise.all(first)
  for (const reader of readers) reader.next().catch(() => {}) // it ends when the store is closed
}

const listen = (kv, queue) => kv.listenQueue(unexpected, { queue })

/** Starts so many waiters in a store; each resolves when all of them wait. */
const waiting = {
  async watches(kv, count) {
    await times(count, (at) => new Promise((resolve) => kv.watch(["idle", at], resolve, { exact: true })))
  },

  feeds: (kv, count) => read(kv, count, (at) => kv.changes({ prefix: ["idle", at], live: true })),

  consumers: (kv, count) =>
    read(kv, count, (at) => kv.consumer(`idle-${at}`, { prefix: ["idle", at], lease: "1h" })),

  async leases(kv, count) {
    const name = (at) => `idle-${at}`
    await times(count, (at) => kv.consumer(name(at), { lease: "1h" }).read())
    const loops = Array.from({ length: count }, (_, at) => kv.consumer(name(at))[Symbol.asyncIterator]())
    for (const loop of loops) loop.next().catch(() => {}) // it ends when the store is closed
  },

  locks: (kv, count) => times(count, (at) => kv.lock(`idle-${at}`, { duration: "1h" })),

  listeners(kv, count) {
    for (let at = 0; at < count; at++) listen(kv, `idle-${at}`)
  },

  async delayed(kv, count) {
    waiting.listeners(kv, count)
    await times(count, (at) => kv.enqueue(0, { queue: `idle-${at}`, delay: "1h" }))
  },

  nothing() {},
}

const set = (kv) => () => kv.set(itemKey(random.below(ENTRIES)), randomValue())

/** Messages handled by one of so many listeners, each before the next one is sent. */
function message(kv, listeners) {
  let handled
  for (let at = 0; at < listeners; at++) kv.listenQueue(() => handled(), { queue: "busy" })
  return async () => {
    const done = new Promise((resolve) => (handled = resolve))
    await kv.enqueue(randomValue(), { queue: "busy" })
    await done
  }
}

/** The waiters, and the call made beside them. */
const KINDS = {
  "watches, a set": [waiting.watches, set],
  "feeds, a set": [waiting.feeds, set],
  "consumers, a set": [waiting.consumers, set],
  "loops that wait for a lease, a set": [waiting.leases, set],
  "loops that wait for a lease, a message": [waiting.leases, message],
  "locks that are held, a set": [waiting.locks, set],
  "listeners of other queues, a set": [waiting.listeners, set],
  "listeners of other queues, a message": [waiting.listeners, message],
  "listeners of queues with a delayed message, a set": [waiting.delayed, set],
  "listeners of queues with a delayed message, a message": [waiting.delayed, message],
  "listeners of the same queue, a message": [waiting.nothing, message, (count) => count],
}

const [wait, callOf, listenersOf = () => 1] = KINDS[what]
const stores = []
for (const count of counts.map(Number)) {
  const kv = new Kv(join(folder, `${count}.db`), { sweepInterval: 0 })
  await wait(kv, count)
  stores.push({ kv, count, call: callOf(kv, listenersOf(count)), turns: [] })
}

async function turn(call) {
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  for (let at = 0; at < CALLS; at++) await call()
  const { user, system } = process.cpuUsage(cpu)
  return { us: ((performance.now() - began) * 1000) / CALLS, cpuUs: (user + system) / CALLS }
}

const warm = performance.now() + Number(ms) / 5
const end = warm + Number(ms)
while (performance.now() < end) {
  const counts = performance.now() > warm
  for (const { call, turns } of stores) {
    const took = await turn(call)
    if (counts) turns.push(took)
    await sleep(PAUSE_MS)
  }
}
process.stdout.write(`${JSON.stringify(stores.map(({ count, turns }) => ({ count, turns })))}\n`)
await Promise.all(stores.map(({ kv }) => kv.close()))
process.exit()
