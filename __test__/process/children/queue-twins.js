// queue-twins.js <file> <count> <start in ms since the epoch>: enqueues messages with the deduplication keys that its twin has too;
// prints the ids.
import { Kv } from "@buntime/keyval"
import { printJson } from "./lines.js"

const [file, count, startAt] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
while (Date.now() < Number(startAt));
const ids = []
for (let at = 0; at < Number(count); at += 5) {
  const some = Array.from({ length: 5 }, (_, n) => kv.enqueue(at + n, { deduplicationKey: `d${at + n}` }))
  ids.push(...(await Promise.all(some)).map(({ id }) => id))
}
await kv.close()
printJson(ids)
