// consumer.js <file> <journal> <who> <iterate|read> <lease in ms>: consumes the change feed as "c" until its
// stdin ends; notes `seen <who> <seq> <key>`, after a commit of its own `committed <who> <seq>`, and
// `stalled <who> <ms>` if it was held up before it could note what it has read.
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { hear, journal, print } from "../lines.js"

const [file, path, who, mode, lease] = process.argv.slice(2)
const note = journal(path)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const consumer = kv.consumer("c", { lease: Number(lease) })
let stopped = false

const TICK_MS = 20
const STALL_MS = Number(lease) / 3
let ticked = Date.now()

/** Notes that this process stood still, whichever of its callbacks comes first afterwards. */
function tick() {
  const stood = Date.now() - ticked
  ticked += stood
  if (stood > STALL_MS) note("stalled", who, stood)
}

setInterval(tick, TICK_MS).unref()

function see({ seq, key, type, versionstamp }) {
  tick()
  note("seen", who, seq, JSON.stringify([key, type, versionstamp]).replaceAll(" ", "_"))
}

async function iterate() {
  for await (const change of consumer) {
    see(change)
    if (change.seq % 7 === 0) await wait(1)
    if (stopped) break
  }
}

/** False if somebody else has the lease. */
async function readOnce() {
  const changes = await consumer.read(20)
  changes.forEach(see)
  if (changes.length === 0) return true
  const { seq } = changes.at(-1)
  await consumer.commit(seq)
  note("committed", who, seq)
}

async function read() {
  while (!stopped) {
    try {
      if (await readOnce()) await wait(5)
    } catch (error) {
      if (error.code !== "BUSY" && error.code !== "CONFLICT") throw error
      note("refused", who, error.code)
      await wait(20)
    }
  }
}

const done = mode === "iterate" ? iterate() : read()
print("consuming")

hear({
  async end() {
    stopped = true
    if (mode === "read") await done
    await kv.close()
    await done
  },
})
