// holder.js <file> <lease in ms>: prints `begin <value> <attempts>` and handles each message until a line of
// stdin is its value.
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [file, lease] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const ends = new Map()

const listener = kv.listenQueue(
  ({ value, attempts }) =>
    new Promise((end) => {
      ends.set(value, end)
      print(`begin ${value} ${attempts}`)
    }),
  { concurrency: 4, lockDuration: Number(lease) },
)
print("listening")

hear({
  line: (value) => ends.get(value)(),
  async end() {
    listener.stop()
    await listener.finished
    await kv.close()
  },
})
