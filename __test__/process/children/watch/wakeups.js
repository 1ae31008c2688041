// wakeups.js <file> <idle>: waits for messages of many queues, changes under many prefixes and the leases of
// many consumers, and prints what comes. For "asked" it prints how often it has asked the store.
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [file, idle] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const names = ["busy", ...Array.from({ length: Number(idle) }, (_, at) => `idle ${at}`)]

const listeners = names.map((queue) =>
  kv.listenQueue(({ value }) => print(`message ${queue} ${value}`), { queue }),
)

async function follow(name) {
  for await (const { key } of kv.changes({ live: true, prefix: [name] })) print(`change ${key.join(" ")}`)
}

async function takeOver(name) {
  for await (const { key } of kv.consumer(name, { prefix: [name] })) print(`consumed ${key.join(" ")}`)
}

const loops = names.flatMap((name) => [follow(name), takeOver(name)])
print("waiting")

/** Metrics count two reads of their own, once they were read. */
let reads = 0

hear({
  async line() {
    const { operations } = await kv.metrics("json")
    const all = Object.values(operations).reduce((sum, { count }) => sum + count, 0)
    print(`asked ${all - 2 * reads++}`)
  },
  async end() {
    for (const listener of listeners) listener.stop()
    await kv.close()
    await Promise.all(loops)
  },
})
