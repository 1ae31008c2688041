// worker.js <file> <journal> <name> <lease> <concurrency>: handles messages until its stdin ends; notes each
// start, end and failure: `start <name> <message> <attempts> <ordering key>`.
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { hear, journal, print } from "../lines.js"

const [file, path, name, lockDuration, concurrency] = process.argv.slice(2)
const note = journal(path)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: "1s" })

async function handle({ value: { n, ms, failures, key }, attempts }) {
  note("start", name, n, attempts, key ?? "-")
  if (ms > 0) await wait(ms)
  const ends = attempts > failures
  note(ends ? "end" : "fail", name, n, attempts, key ?? "-")
  if (!ends) throw new Error(`no to ${n}`)
}

const listener = kv.listenQueue(handle, {
  concurrency: Number(concurrency),
  lockDuration,
  onError(error, message) {
    if (error?.message !== `no to ${message?.value.n}`) note("error", name, message?.value.n, String(error))
  },
})
print("listening")

hear({
  async end() {
    listener.stop()
    await listener.finished
    note("stopped", name)
    await kv.close()
  },
})
