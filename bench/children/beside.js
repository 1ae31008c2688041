// beside.js <peer> <file> <busy|lone> <ms>: writes for <ms> to a file that other processes write to. A busy
// writer never pauses (KeyVal 64 sets at a time); a lone one sets now and then, and prints how long each set
// took, in ms. Both print that they are ready.
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises"
import { ENTRIES, itemKey, newValue } from "../data.js"
import { Random } from "../random.js"
import { percentile } from "../report/figures.js"

const AT_ONCE = 64
const MOST_PAUSE_MS = 20

const [, , name, file, role, durationMs] = process.argv
const random = new Random(6)
const { open } = await import(`../peers/${name}.js`)
const peer = await open(file)
const report = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)

function set() {
  const id = random.below(ENTRIES)
  return peer.set(itemKey(id), newValue(id, random))
}

async function busy(until) {
  let sets = 0
  const write = async () => {
    for (; performance.now() < until; sets++) {
      await set()
      await turn()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, write))
  return { sets }
}

async function lone(until) {
  const latencies = []
  let refused = 0
  while (performance.now() < until) {
    const began = performance.now()
    try {
      await set()
    } catch (error) {
      if (!/BUSY/.test(error.code)) throw error
      refused++
    }
    latencies.push(performance.now() - began)
    await sleep(random.below(MOST_PAUSE_MS))
  }
  const at = (percent) => percentile(latencies, percent)
  return { sets: latencies.length, refused, p50: at(50), p99: at(99), max: Math.max(...latencies) }
}

report({ ready: true })
report(await (role === "busy" ? busy : lone)(performance.now() + Number(durationMs)))
await peer.close()
process.exit()
