// workers.js <scenario> <file>: worker threads with watches and listeners on one file; prints JSON.
import { setTimeout as wait } from "node:timers/promises"
import { parentPort } from "node:worker_threads"
import { printJson } from "../lines.js"
import { begin, open, play } from "../runtime/threads.js"

const ROUNDS = 5

/** What a worker does, by name. */
const tasks = {
  /** Watches and handles until it is terminated. */
  async live(file) {
    const kv = await open(file)
    kv.watch({ prefix: [] }, () => wait(1))
    kv.listenQueue(() => wait(1), { concurrency: 10, lockDuration: 300 })
    void kv.changes({ live: true, from: (await kv.changes.head()) + 1 }).next()
    parentPort.postMessage("alive")
  },

  /** Never stops by itself, and has calls of every kind on their way. */
  async busy(file) {
    const kv = await open(file)
    kv.watch({ prefix: ["a"] }, () => {})
    kv.watch(["a", 1], () => wait(5))
    kv.listenQueue(() => {}, { concurrency: 50, lockDuration: 300 })
    const consumer = kv.consumer("c", { lease: 100 })
    void (async () => {
      for await (const _ of consumer);
    })()
    parentPort.postMessage("alive")
    for (let at = 0; ; at++) {
      void kv.enqueue(at)
      await Promise.all([kv.set(["a", at % 10], at), kv.set(["b", at % 10], at)])
    }
  },

  async stops(file) {
    const kv = await open(file)
    const watch = kv.watch(["a"], () => {})
    const listener = kv.listenQueue(() => {})
    parentPort.postMessage("alive")
    await wait(50)
    for (const one of [watch, listener]) one.stop()
  },

  async exits(file) {
    const kv = await open(file)
    kv.watch(["a"], () => {})
    kv.listenQueue(() => process.exit(0), { lockDuration: 300, concurrency: 4 })
  },

  async closes(file) {
    const kv = await open(file)
    kv.watch(["a"], () => {})
    kv.listenQueue(() => wait(5))
    parentPort.postMessage("alive")
    await wait(50)
    await kv.close()
  },
}

/**
 * Handles what is left in the queue. A message that was in a handler at each of four terminations is dead by
 * then.
 */
async function drain(kv) {
  const listener = kv.listenQueue(() => {}, { concurrency: 50, lockDuration: 300 })
  for (;;) {
    const { pending, processing } = await kv.queueStats()
    if (pending + processing === 0) break
    await wait(20)
  }
  listener.stop()
  await listener.finished
}

const scenarios = {
  async "workers are terminated while they are called"(file) {
    const kv = await open(file)
    for (let round = 0; round < ROUNDS; round++) {
      const { worker, said } = begin("live", file)
      await said
      const calls = Array.from({ length: 100 }, (_, at) => [kv.set(["a", at], round), kv.enqueue(at)]).flat()
      await Promise.all(calls.slice(0, 60))
      await worker.terminate()
      await Promise.all(calls)
    }
    await drain(kv)
    await kv.close()
    return "drained"
  },

  async "busy workers are terminated"(file) {
    const kv = await open(file)
    for (let round = 0; round < ROUNDS; round++) {
      const workers = [begin("busy", file), begin("busy", file)]
      await Promise.all(workers.map(({ said }) => said))
      await kv.set(["a"], round)
      await Promise.all(workers.map(({ worker }) => worker.terminate()))
    }
    await drain(kv)
    await kv.close()
    return "drained"
  },

  async "a worker that is terminated at once"(file) {
    const kv = await open(file)
    for (let round = 0; round < ROUNDS; round++) {
      const { worker } = begin("live", file)
      await kv.set(["a"], round)
      await worker.terminate()
    }
    await kv.close()
    return "closed"
  },

  async "the main thread is called while workers come and go"(file) {
    const kv = await open(file)
    let newest
    let [handled, done] = [0, 0]
    kv.watch(["note"], (entries) => {
      newest = entries[0]?.value
    })
    kv.listenQueue(() => void handled++, { queue: "main" })
    for (let round = 0; round < ROUNDS; round++) {
      const { worker, said } = begin("busy", file)
      await said
      await kv.set(["note"], round)
      await kv.enqueue(round, { queue: "main" })
      await worker.terminate()
      done++
      while (newest !== round || handled < done) await wait(5)
    }
    await kv.close()
    return [newest, handled]
  },

  async "a worker without a main store is terminated, and another comes"(file) {
    for (let round = 0; round < 3; round++) {
      const { worker, said } = begin("busy", file)
      await said
      await worker.terminate()
    }
    const kv = await open(file)
    await drain(kv)
    await kv.close()
    return "drained"
  },

  async "a worker ends when its subscriptions are stopped"(file) {
    const { exited, said } = begin("stops", file)
    return [await said, await exited]
  },

  async "a worker ends when its store is closed"(file) {
    const { exited, said } = begin("closes", file)
    return [await said, await exited]
  },

  async "process.exit in a worker's handler"(file) {
    const kv = await open(file)
    for (let round = 0; round < 3; round++) {
      const { exited } = begin("exits", file)
      await kv.enqueue(round)
      await exited
    }
    await drain(kv)
    await kv.close()
    return "drained"
  },

  async "the main thread closes first"(file) {
    const kv = await open(file)
    kv.watch(["a"], () => {})
    kv.listenQueue(() => {})
    const { worker, said } = begin("busy", file)
    await said
    await kv.close()
    await wait(50)
    await worker.terminate()
    return "closed"
  },

  async "process.exit while workers are called"(file) {
    const kv = await open(file)
    kv.watch(["a"], () => {})
    const workers = [begin("busy", file), begin("live", file)]
    await Promise.all(workers.map(({ said }) => said))
    await kv.set(["a", 1], 1)
    printJson("exits")
    process.exit(0)
  },
}

await play({ tasks, scenarios })
