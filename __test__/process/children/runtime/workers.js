// workers.js <scenario> <file>: worker threads on one file; prints JSON.
import { parentPort } from "node:worker_threads"
import { printJson } from "../lines.js"
import { begin, open, play } from "./threads.js"

const COUNT = 200

async function sumMany(kv, count = COUNT) {
  await Promise.all(Array.from({ length: count }, () => kv.atomic().sum(["sum"], 1n).commit()))
}

async function sumOf(file) {
  const kv = await open(file)
  const { value } = await kv.get(["sum"])
  await kv.close()
  return String(value)
}

/** What a worker does, by name. */
const tasks = {
  async work(file) {
    const kv = await open(file)
    await sumMany(kv)
    await kv.close()
    parentPort.postMessage("done")
  },

  async idle(file) {
    const kv = await open(file)
    await kv.set(["idle"], 1)
    parentPort.postMessage("idle")
  },

  async pending(file) {
    const kv = await open(file)
    for (let at = 0; at < 500; at++) void kv.set(["worker", at], at)
    parentPort.postMessage("pending")
  },

  /** Never stops by itself; keeps calls of every kind pending. */
  async endless(file) {
    const kv = await open(file)
    await kv.set(["endless"], 0)
    parentPort.postMessage("running")
    const keys = Array.from({ length: 1000 }, (_, at) => ["worker", at])
    for (let at = 0; ; at++) {
      for (let n = 0; n < 20; n++) void kv.set(["worker", n], at)
      void kv.count(["worker"])
      await Promise.all([kv.getMany(keys), kv.list(["worker"]).next(), kv.set(["endless"], at)])
    }
  },
}

const scenarios = {
  async "both threads write"(file) {
    const kv = await open(file)
    const workers = [begin("work", file), begin("work", file)]
    await sumMany(kv)
    await Promise.all(workers.map(({ exited }) => exited))
    const { value } = await kv.get(["sum"])
    await kv.close()
    return String(value)
  },

  async "a worker is terminated while its calls are pending"(file) {
    const kv = await open(file)
    for (let round = 0; round < 5; round++) {
      const { worker, said } = begin("endless", file)
      await said
      const sums = sumMany(kv)
      await worker.terminate()
      await sums
    }
    await sumMany(kv)
    const { value } = await kv.get(["sum"])
    await kv.close()
    return String(value)
  },

  async "a worker that is terminated at once"(file) {
    const kv = await open(file)
    for (let round = 0; round < 5; round++) {
      const { worker } = begin("endless", file)
      await kv.atomic().sum(["sum"], 1n).commit()
      await worker.terminate()
    }
    await kv.close()
    return sumOf(file)
  },

  async "a worker alone, and another after it"(file) {
    for (let round = 0; round < 3; round++) await begin("work", file).exited
    return sumOf(file)
  },

  async "a worker alone is terminated, and another comes"(file) {
    for (let round = 0; round < 3; round++) {
      const { worker, said } = begin("endless", file)
      await said
      await worker.terminate()
    }
    await begin("work", file).exited
    return sumOf(file)
  },

  async "an idle Kv holds no worker"(file) {
    const { exited, said } = begin("idle", file)
    return [await said, await exited]
  },

  async "a worker ends when its pending calls are done"(file) {
    await begin("pending", file).exited
    const kv = await open(file)
    const count = await kv.count(["worker"])
    await kv.close()
    return count
  },

  async "the main thread closes first"(file) {
    const kv = await open(file)
    const worker = begin("work", file)
    await sumMany(kv, 50)
    await kv.close()
    await worker.exited
    return sumOf(file)
  },

  async "process.exit while a worker writes"(file) {
    const kv = await open(file)
    const { said } = begin("endless", file)
    await said
    void sumMany(kv)
    printJson("exits")
    process.exit(0)
  },
}

await play({ tasks, scenarios })
