// idle.js <scenario> <file> <ms>: prints how much CPU time it took to do nothing for so long, in milliseconds.
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { printJson } from "./lines.js"

const [scenario, file, ms] = process.argv.slice(2)
const kv = new Kv(file, { sweepInterval: "1m" })

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
const before = process.cpuUsage()
await wait(Number(ms))
const { user, system } = process.cpuUsage(before)
await kv.close()
printJson((user + system) / 1000)
