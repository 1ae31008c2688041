// hand.js <file> <lease>: takes messages and acknowledges the newest on request: "ack", or "nack".
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [file, lease] = process.argv.slice(2)
const lockDuration = /^\d+$/.test(lease) ? Number(lease) : lease
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
let newest
const handlers = []

const listener = kv.listenQueue(
  ({ id, attempts }) => {
    newest = id
    print(`got ${attempts}`)
    return new Promise((resolve) => handlers.push(resolve))
  },
  { autoAck: false, lockDuration, concurrency: 4 },
)
print("listening")

hear({
  async line(said) {
    try {
      await (said === "ack" ? kv.ackMessage(newest) : kv.nackMessage(newest, { error: "asked to" }))
      print("acked")
    } catch ({ code }) {
      print(`refused ${code}`)
    }
  },
  async end() {
    listener.stop()
    for (const resolve of handlers) resolve()
    await listener.finished
    await kv.close()
  },
})
