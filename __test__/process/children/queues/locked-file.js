// locked-file.js <file>: listens and watches with a patience of 50 ms; prints `start <value> <attempts>`,
// `end <value>` when it is asked to "end", `watched <value>`, and `error <code>`.
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const kv = new Kv(process.argv[2], { busyTimeout: 50, sweepInterval: 0 })
const onError = (error) => print(`error ${error?.code ?? error}`)
const waiting = []

const listener = kv.listenQueue(
  async ({ value, attempts }) => {
    print(`start ${value} ${attempts}`)
    await new Promise((resolve) => waiting.push(resolve))
    print(`end ${value}`)
  },
  { onError },
)
const watch = kv.watch(
  ["a"],
  (entries) => {
    for (const { value } of entries) print(`watched ${value}`)
  },
  { onError },
)
await kv.get(["a"])
print("ready")

hear({
  line: () => waiting.shift()?.(),
  async end() {
    print(`closed ${listener.closed} ${watch.closed}`)
    for (const one of [listener, watch]) one.stop()
    await Promise.all([listener.finished, watch.finished])
    await kv.close()
  },
})
