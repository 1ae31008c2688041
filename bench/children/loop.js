// loop.js <keyval|better-sqlite3|nothing> <file> <ms>: writes for that long, as fast as it can, and prints how late the
// event loop was, in ms. KeyVal: 64 writers at once. better-sqlite3: a commit a turn of the loop.
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises"
import { ENTRIES, itemKey, newValue } from "../data.js"
import { Random } from "../random.js"

/** The timer behind the histogram; a loop that is free shows about this much. */
const RESOLUTION_MS = 1

const [, , what, file, ms] = process.argv
const random = new Random(2)
const until = performance.now() + Number(ms)
let longestCallMs = 0
let writes = 0

function timed(call) {
  const start = performance.now()
  const result = call()
  longestCallMs = Math.max(longestCallMs, performance.now() - start)
  writes++
  return result
}

const work = {
  async nothing() {
    await sleep(Number(ms))
  },
  async keyval(peer) {
    const writer = async () => {
      while (performance.now() < until) await one(peer)
    }
    await Promise.all(Array.from({ length: 64 }, writer))
  },
  async "better-sqlite3"(peer) {
    while (performance.now() < until) {
      one(peer)
      await turn()
    }
  },
}

function one(peer) {
  const id = random.below(ENTRIES)
  const value = newValue(id, random)
  return timed(() => peer.set(itemKey(id), value))
}

const peer = what === "nothing" ? undefined : await (await import(`../peers/${what}.js`)).open(file)
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()
await work[what](peer)
delay.disable()
await peer?.close()
const at = (percentile) => delay.percentile(percentile) / 1e6
const answer = { p50: at(50), p99: at(99), p999: at(99.9), max: delay.max / 1e6, longestCallMs, writes }
process.stdout.write(`${JSON.stringify(answer)}\n`)
process.exit()
