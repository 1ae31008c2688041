// loop.js <peer|nothing> <file> <ms> <writers>: <writers> writers set for <ms>, each as fast as it can;
// prints how late the event loop was and how long the calls held it, in ms. A writer awaits its promise, or
// the next turn of the loop if the call returns a value.
import { createHistogram, monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises"
import { ENTRIES, itemKey, newValue } from "../data.js"
import { Random } from "../random.js"

/** The timer behind the histogram; an idle loop shows about this delay. */
const RESOLUTION_MS = 1

const [, , name, file, durationMs, writers] = process.argv
const random = new Random(2)
const calls = createHistogram()

function set(peer) {
  const id = random.below(ENTRIES)
  const value = newValue(id, random)
  const start = process.hrtime.bigint()
  const result = peer.set(itemKey(id), value)
  calls.record(process.hrtime.bigint() - start)
  return result
}

async function write(peer, until) {
  while (performance.now() < until) {
    const result = set(peer)
    if (typeof result.then === "function") await result
    else await turn()
  }
}

const peer = name === "nothing" ? null : await (await import(`../peers/${name}.js`)).open(file)
const until = performance.now() + Number(durationMs)
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()
if (peer) await Promise.all(Array.from({ length: Number(writers) }, () => write(peer, until)))
else await sleep(Number(durationMs))
delay.disable()
await peer?.close()

/** `null` where nothing was recorded: a timer that never had its turn says nothing. */
const at = (histogram, percentile) => (histogram.count ? histogram.percentile(percentile) / 1e6 : null)
const answer = {
  p50: at(delay, 50),
  p99: at(delay, 99),
  p999: at(delay, 99.9),
  max: at(delay, 100),
  calls: calls.count,
  callP999: at(calls, 99.9),
  callMax: at(calls, 100),
}
process.stdout.write(`${JSON.stringify(answer)}\n`)
process.exit()
