// feeder.js <file> <life> <seed>: enqueues until its stdin ends; prints `sent <message>` for each that is on
// disk. Messages with an ordering key write ["sent", message] in the same commit: its versionstamp is their
// order.
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { Random } from "../../../support/random.js"
import { hear, print } from "../lines.js"

const [file, life, seed] = process.argv.slice(2)
const random = new Random(Number(seed))
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const KEYS = 4
const ALWAYS = 1000
let stopped = false

function draw(n) {
  const fails = random.chance(1 / 15)
  const failures = fails ? ALWAYS : random.chance(1 / 10) ? 1 : 0
  const key = random.chance(0.4) ? `k${random.int(KEYS)}` : undefined
  // Now and then longer than the lease.
  const ms = random.chance(1 / 80) ? 800 : random.int(key ? 10 : 60)
  const value = { n: `${life}.${n}`, ms, failures, key }
  const options = {
    backoffSchedule: fails ? [20, "40ms"] : Array(30).fill(10),
    keysIfUndelivered: [["undelivered", value.n]],
  }
  if (key) options.orderingKey = key
  else if (random.chance(0.2)) options.delay = random.int(200)
  return { value, options }
}

async function feed(chain) {
  for (let n = 0; !stopped; n++) {
    const { value, options } = draw(`${chain}${n}`)
    if (value.key || random.chance(0.3))
      await kv
        .atomic()
        .set(["sent", value.n], value.key ?? null)
        .enqueue(value, options)
        .commit()
    else await kv.enqueue(value, options)
    print(`sent ${value.n}`)
    await wait(random.int(25))
  }
}

hear({
  end() {
    stopped = true
  },
})
await Promise.all([feed("a"), feed("b")])
await kv.close()
process.exit()
