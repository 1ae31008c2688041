// idle.js <scenario> <file> <ms> <most> <most wake-ups>: does nothing for so long; prints how much CPU time
// that took, in milliseconds, and how often our threads woke up, both as of <ms>. If that is more than the
// limits say, it measures again: compilers and garbage collectors work when they like, and not in each
// window.
import { readdirSync, readFileSync } from "node:fs"
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

const [scenario, file, ...limits] = process.argv.slice(2)
const [WINDOW_MS, MOST_MS, MOST_WAKE_UPS] = limits.map(Number)
const WINDOWS = 8
const kv = new Kv(file, { sweepInterval: "1m" })

/** How often threads of ours have waited; null where that cannot be determined. */
function waits() {
  if (process.platform !== "linux") return null
  const tasks = readdirSync("/proc/self/task").map((task) => `/proc/self/task/${task}`)
  const ours = tasks.filter((task) => readFileSync(`${task}/comm`, "utf8").startsWith("keyval"))
  return ours
    .map((task) =>
      Number(readFileSync(`${task}/status`, "utf8").match(/^voluntary_ctxt_switches:\s*(\d+)/m)[1]),
    )
    .reduce((sum, count) => sum + count, 0)
}

/** One window; it is longer than it should be where the machine holds up this process. */
async function measure() {
  const [before, waited, began] = [process.cpuUsage(), waits(), performance.now()]
  await wait(WINDOW_MS)
  const { user, system } = process.cpuUsage(before)
  const share = WINDOW_MS / Math.max(WINDOW_MS, performance.now() - began)
  return {
    ms: ((user + system) / 1000) * share,
    wakeUps: waited === null ? null : (waits() - waited) * share,
  }
}

const watch = () =>
  new Promise((resolve) => {
    const subscription = kv.watch(["a"], () => resolve(subscription))
  })

const listen = () =>
  new Promise((resolve) => {
    const subscription = kv.listenQueue(() => resolve(subscription))
  })

const scenarios = {
  async nothing() {},
  watch,
  async listen() {
    const listening = listen()
    await kv.enqueue(1)
    await listening
  },
  async "a hundred watches"() {
    for (let at = 0; at < 100; at++) await watch()
  },
  async changes() {
    const changes = kv.changes({ live: true })
    await changes.next()
    void changes.next()
  },
  async "a consumer at its end"() {
    const changes = kv.consumer("c")[Symbol.asyncIterator]()
    await changes.next()
    void changes.next()
  },
  async stopped() {
    const listening = listen()
    await kv.enqueue(1)
    for (const subscription of [await watch(), await listening]) {
      subscription.stop()
      await subscription.finished
    }
    const changes = kv.changes({ live: true })
    await changes.next()
    await changes.return()
  },
}

await kv.set(["a"], 1)
await scenarios[scenario]()
// What the start has left to do: compilers, garbage, the listener's last commit.
await wait(700)
let windows = 0
let found
do {
  found = await measure()
  windows++
} while (windows < WINDOWS && !(found.ms < MOST_MS && found.wakeUps <= MOST_WAKE_UPS))
await kv.close()
printJson({ ...found, windows })
