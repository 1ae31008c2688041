// busy-handler.js <file> <queue> <lease in ms> <flag>: a handler that holds up the event loop until there is
// a file of that name.
import { existsSync } from "node:fs"
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [file, queue, lease, flag] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })

const listener = kv.listenQueue(
  ({ attempts }) => {
    print(`begin ${attempts}`)
    while (!existsSync(flag));
    print(`end ${attempts}`)
  },
  { queue, lockDuration: Number(lease) },
)
print("listening")

hear({
  async end() {
    listener.stop()
    await listener.finished
    await kv.close()
  },
})
