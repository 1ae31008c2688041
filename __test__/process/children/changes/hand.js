// hand.js <file> <lease in ms>: does with the consumer "c" what its stdin says: read <limit>, wait <limit>
// (until nobody else has the lease), commit <seq>, release; prints what came of it.
import { setTimeout as sleep } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [file, lease] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const consumer = kv.consumer("c", { lease: Number(lease) })

async function read(limit) {
  const changes = await consumer.read(Number(limit))
  print(`read ${changes.map(({ seq }) => seq).join(" ")}`)
}

async function wait(limit) {
  for (;;) {
    try {
      return await read(limit)
    } catch ({ code, message }) {
      if (code !== "BUSY") return print(`read ${code} ${message}`)
      await sleep(20)
    }
  }
}

const orders = {
  read,
  wait,
  async commit(seq) {
    await consumer.commit(Number(seq))
    print("commit ok")
  },
  async release() {
    await consumer.release()
    print("release ok")
  },
}

hear({
  async line(said) {
    const [order, number] = said.split(" ")
    try {
      await orders[order](number)
    } catch ({ code }) {
      print(`${order} ${code}`)
    }
  },
  async end() {
    await kv.close()
  },
})
