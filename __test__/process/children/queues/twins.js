// twins.js <file> <count>: prints `ready`; given a time in ms since the epoch, it enqueues messages from then
// on with the deduplication keys that its twin has too, and prints the ids.
import { Kv } from "@buntime/keyval"
import { hear, print, printJson } from "../lines.js"

const [file, count] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })

async function enqueueAll(startAt) {
  while (Date.now() < startAt);
  const ids = []
  for (let at = 0; at < Number(count); at += 5) {
    const some = Array.from({ length: 5 }, (_, n) => kv.enqueue(at + n, { deduplicationKey: `d${at + n}` }))
    ids.push(...(await Promise.all(some)).map(({ id }) => id))
  }
  printJson(ids)
}

hear({ line: (at) => enqueueAll(Number(at)), end: () => kv.close() })
print("ready")
