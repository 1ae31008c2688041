// notice.js <watch|listen> <file> <queue>: waits, and prints `<n> <ms since the epoch>` for each commit that it is told of.
import { Kv } from "@buntime/keyval"
import { hear, print } from "./lines.js"

const [mode, file, queue] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const now = () => performance.timeOrigin + performance.now()
const tell = (n, at) => print(`${n} ${at}`)

function watch() {
  return kv.watch(
    ["tick"],
    (entries) => {
      const at = now()
      for (const { value } of entries) tell(value, at)
    },
    { emitInitial: false },
  )
}

const subscription =
  mode === "watch" ? watch() : kv.listenQueue(({ value }) => tell(value, now()), { queue, concurrency: 8 })
// A watch has its position once a call that was made after it is answered.
await kv.get(["tick"])
print("waiting")

hear({
  async end() {
    subscription.stop()
    await subscription.finished
    await kv.close()
  },
})
