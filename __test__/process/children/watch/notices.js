// notices.js <watch|listen> <file> <queue>: waits, and prints `reported <n> <ms since the epoch>` for each
// commit that it learns of, and `heard <n> <ms since the epoch>` for each line of stdin: a machine that holds
// it up does so to both.
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [mode, file, queue] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const now = () => performance.timeOrigin + performance.now()
const report = (n, at) => print(`reported ${n} ${at}`)

function watch() {
  return kv.watch(
    ["tick"],
    (entries) => {
      const at = now()
      for (const { value } of entries) report(value, at)
    },
    { emitInitial: false },
  )
}

const subscription =
  mode === "watch" ? watch() : kv.listenQueue(({ value }) => report(value, now()), { queue, concurrency: 8 })
// A watch has its position once a call that was made after it is answered.
await kv.get(["tick"])
print("waiting")

hear({
  line: (n) => print(`heard ${n} ${now()}`),
  async end() {
    subscription.stop()
    await subscription.finished
    await kv.close()
  },
})
