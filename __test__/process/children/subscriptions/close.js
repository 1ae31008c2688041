// close.js <scenario> <file>: stops and closes in the middle of everything; what it prints last is JSON.
import { setTimeout as wait } from "node:timers/promises"
import { printJson } from "../lines.js"
import { codeOf, endless, enqueueMany, open, signal } from "./shared.js"

const scenarios = {
  async "close ends all iterators"() {
    const kv = open()
    await kv.set(["a"], 1)
    const watch = kv.watch(["a"])
    await watch.next()
    const changes = kv.changes({ live: true })
    await changes.next()
    const mine = kv.consumer("c")
    await mine.read()
    const other = open()
    const waiting = other.consumer("c")[Symbol.asyncIterator]()
    const atItsEnd = kv.consumer("d")[Symbol.asyncIterator]()
    await atItsEnd.next()
    const ends = [watch, changes, waiting, atItsEnd].map((one) => one.next())
    await wait(50)
    await Promise.all([kv.close(), other.close()])
    printJson((await Promise.all(ends)).map(({ done }) => done))
  },

  async "close while handlers run"() {
    const kv = open()
    await enqueueMany(kv, 20)
    const [started, release] = [signal(), signal()]
    const later = []
    const listener = kv.listenQueue(
      async ({ id }) => {
        started.send()
        await release.received
        later.push(await codeOf(kv.get(["a"])), await codeOf(kv.ackMessage(id)))
      },
      { concurrency: 3, lockDuration: 100, onError: (error) => printJson(String(error)) },
    )
    await started.received
    await kv.close()
    const closed = listener.closed
    release.send()
    await listener.finished
    const again = open()
    const { total } = await again.queueStats()
    const handled = new Set()
    const second = again.listenQueue(({ value }) => handled.add(value), { lockDuration: 100 })
    while (handled.size < 20) await wait(20)
    second.stop()
    await second.finished
    printJson({ closed, later: [...new Set(later)], total, after: await again.queueStats() })
  },

  async "close while a callback runs"() {
    const kv = open()
    const [started, release] = [signal(), signal()]
    let calls = 0
    const watch = kv.watch(["a"], async () => {
      calls++
      started.send()
      await release.received
    })
    await started.received
    for (let at = 0; at < 10; at++) await kv.set(["a"], at)
    await kv.close()
    let finished = false
    void watch.finished.then(() => {
      finished = true
    })
    await wait(20)
    const before = finished
    release.send()
    await watch.finished
    await wait(20)
    printJson({ before, calls })
  },

  async "callbacks that never end, and close"() {
    const kv = open()
    await enqueueMany(kv, 5)
    const [watched, handled] = [signal(), signal()]
    kv.watch(["a"], () => endless(watched))
    kv.listenQueue(() => endless(handled), { concurrency: 5, lockDuration: 100 })
    await Promise.all([watched.received, handled.received])
    await kv.close()
    printJson("closed")
  },

  async "callbacks that never end, and stop"() {
    const kv = open()
    await enqueueMany(kv, 5)
    const [watched, handled] = [signal(), signal()]
    const subscriptions = [
      kv.watch(["a"], () => endless(watched)),
      kv.listenQueue(() => endless(handled), { concurrency: 5, lockDuration: 100 }),
    ]
    await Promise.all([watched.received, handled.received])
    for (const one of subscriptions) one.stop()
    printJson("stopped")
  },

  async "close while claims are in flight"() {
    let [handled, late] = [0, 0]
    for (let round = 0; round < 15; round++) {
      const kv = open()
      const isLate = () => {
        if (kv.closed) late++
      }
      if (round % 3 === 0) await enqueueMany(kv, 30, { backoffSchedule: Array(30).fill(1) })
      const handle = () => {
        isLate()
        handled++
      }
      for (const queue of ["default", "other"])
        kv.listenQueue(handle, { queue, concurrency: 100, lockDuration: 100 })
      kv.watch({ prefix: [] }, isLate)
      void kv.set(["a"], round)
      for (let turn = 0; turn < round; turn++) await new Promise(setImmediate)
      await kv.close()
    }
    const kv = open()
    const { total, dlq } = await kv.queueStats()
    printJson({ whole: total + handled >= 150, dlq, late })
  },

  async "stop while claims are in flight"() {
    const kv = open()
    await enqueueMany(kv, 100)
    const seen = new Map()
    let late = 0
    for (let round = 0; seen.size < 100; round++) {
      const listener = kv.listenQueue(
        ({ value }) => {
          if (listener.closed) late++
          seen.set(value, (seen.get(value) ?? 0) + 1)
        },
        { concurrency: 20 },
      )
      // Other lengths each time, and ever longer ones: how many turns a claim takes, a machine decides.
      const turns = (round % 20) * 2 ** Math.floor(round / 20)
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      listener.stop()
      await listener.finished
    }
    // What was claimed and not begun is given back at once, and what was handled is gone.
    while ((await kv.queueStats()).total > 0) await wait(5)
    printJson({ twice: [...seen.values()].filter((times) => times > 1).length, late })
  },

  async "stop in the first of many handlers"() {
    const kv = open()
    await enqueueMany(kv, 10)
    const attempts = []
    const begin = () => {
      const listener = kv.listenQueue(
        (message) => {
          attempts.push(message.attempts)
          listener.stop()
        },
        { concurrency: 10 },
      )
      return listener.finished
    }
    await begin()
    const first = attempts.length
    while ((await kv.queueStats()).total > 0) await begin()
    printJson({ first, all: attempts.length, attempts: Math.max(...attempts) })
  },

  async "close in a handler"() {
    const kv = open()
    await kv.enqueue(1)
    const closed = signal()
    const listener = kv.listenQueue(async () => {
      await kv.close()
      closed.send()
    })
    await closed.received
    await listener.finished
    printJson(listener.closed)
  },

  async "close in a callback"() {
    const kv = open()
    const closed = signal()
    const watch = kv.watch(["a"], async () => {
      await kv.close()
      closed.send()
    })
    await closed.received
    await watch.finished
    printJson(watch.closed)
  },

  async "stop in a handler and in a callback"() {
    const kv = open()
    await enqueueMany(kv, 10)
    let [calls, handled] = [0, 0]
    const watch = kv.watch(["a"], () => {
      calls++
      watch.stop()
    })
    const listener = kv.listenQueue(() => {
      handled++
      listener.stop()
    })
    await Promise.all([watch.finished, listener.finished])
    await kv.set(["a"], 1)
    printJson({ calls, handled, total: (await kv.queueStats()).total })
  },
}

await scenarios[process.argv[2]]()
