// queue-busy.js <file> <queue> <ms>: a handler that holds up the event loop for so long, under a lease of 800 ms.
import { Kv } from "@buntime/keyval"
import { hear, print } from "./lines.js"

const [file, queue, ms] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })

const listener = kv.listenQueue(
  ({ attempts }) => {
    print(`begin ${attempts}`)
    const until = Date.now() + Number(ms)
    while (Date.now() < until);
    print(`end ${attempts}`)
  },
  { queue, lockDuration: "800ms" },
)
print("listening")

hear({
  async end() {
    listener.stop()
    await listener.finished
    await kv.close()
  },
})
