// idle.js <scenario> <file> <ms>: does nothing for so long; prints how much CPU time that took, in milliseconds, and how often our
// threads woke up.
import { readdirSync, readFileSync } from "node:fs"
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { printJson } from "./lines.js"

const [scenario, file, ms] = process.argv.slice(2)
const kv = new Kv(file, { sweepInterval: "1m" })

/** How often threads of ours have waited; null where that cannot be told. */
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
const [before, waited] = [process.cpuUsage(), waits()]
await wait(Number(ms))
const { user, system } = process.cpuUsage(before)
const wakeUps = waited === null ? null : waits() - waited
await kv.close()
printJson({ ms: (user + system) / 1000, wakeUps })
