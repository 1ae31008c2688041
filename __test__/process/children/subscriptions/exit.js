// exit.js <scenario> <file>: ends in one way or another with watches, listeners and iterators alive; what it
// prints last is JSON.
import { setTimeout as wait } from "node:timers/promises"
import { printJson } from "../lines.js"
import { collectGarbage, enqueueMany, open, signal, unheld } from "./shared.js"

const scenarios = {
  async "a watch keeps it alive until stop"() {
    const watch = open().watch(["a"], () => {})
    unheld(() => {
      printJson(watch.closed)
      watch.stop()
    })
  },

  async "a listener keeps it alive until stop"() {
    const listener = open().listenQueue(() => {})
    unheld(() => {
      printJson(listener.closed)
      listener.stop()
    })
  },

  async "they keep it alive until close"() {
    const kv = open()
    const subscriptions = [kv.watch(["a"], () => {}), kv.listenQueue(() => {})]
    unheld(async () => {
      await kv.close()
      await Promise.all(subscriptions.map(({ finished }) => finished))
      printJson(subscriptions.map(({ closed }) => closed))
    })
  },

  async "one of two is stopped, and the other keeps it alive"() {
    const kv = open()
    const [first, second] = [kv.watch(["a"], () => {}), kv.watch(["a"], () => {})]
    first.stop()
    first.stop()
    unheld(() => {
      printJson([first.closed, second.closed])
      second.stop()
    })
  },

  async "the loop of a watch"() {
    const watch = open().watch(["a"])
    let batches = 0
    for await (const _ of watch) if (++batches === 1) unheld(() => watch.stop())
    printJson(batches)
  },

  async "a loop that is left"() {
    const kv = open()
    for await (const { entries } of kv.watch(["a"])) {
      printJson(entries)
      break
    }
    await kv.set(["a"], 1)
    for await (const { seq } of kv.changes({ live: true })) {
      printJson(seq)
      break
    }
  },

  async "live changes keep it alive while they wait"() {
    const kv = open()
    await kv.set(["a"], 1)
    unheld(() => void kv.set(["a"], 2), 200)
    const seen = []
    for await (const { seq } of kv.changes({ live: true })) {
      seen.push(seq)
      if (seen.length === 2) break
    }
    printJson(seen)
  },

  async "live changes that nobody waits for"() {
    const kv = open()
    await kv.set(["a"], 1)
    await kv.changes({ live: true }).next()
  },

  async using() {
    const kv = open()
    const ended = []
    {
      const watch = kv.watch(["a"], () => {})
      const listener = kv.listenQueue(() => {})
      for (const one of [watch, listener]) {
        one[Symbol.dispose]()
        ended.push(one.closed)
      }
      await Promise.all([watch.finished, listener.finished])
    }
    printJson(ended)
  },

  async "a close that nobody awaits"() {
    const kv = open()
    await enqueueMany(kv, 10)
    kv.watch(["a"], () => {})
    kv.listenQueue(() => wait(5))
    void kv.set(["a"], 1)
    void kv.close()
  },

  async "process.exit in a handler"() {
    const kv = open()
    await enqueueMany(kv, 50)
    kv.listenQueue(() => process.exit(0), { concurrency: 10 })
  },

  async "process.exit in a callback"() {
    const kv = open()
    void enqueueMany(kv, 50)
    kv.listenQueue(() => wait(1), { concurrency: 10 })
    for (let at = 0; at < 100; at++) void kv.set(["a", at], at)
    kv.watch(["a"], (entries) => entries.length > 0 && process.exit(0))
  },

  async "process.exit in a loop of changes"() {
    const kv = open()
    for (let at = 0; at < 100; at++) void kv.set(["a", at], at)
    for await (const { seq } of kv.changes({ live: true })) if (seq === 50) process.exit(0)
  },

  async "process.exit while they are called"() {
    const kv = open()
    kv.watch(["a"], () => wait(1))
    kv.listenQueue(() => wait(1), { concurrency: 20 })
    setTimeout(() => process.exit(0), 200)
    for (let at = 0; ; at++) {
      void kv.enqueue(at)
      await kv.set(["a"], at)
    }
  },

  async "an error that nobody catches, beside them"() {
    const kv = open()
    kv.watch(["a"], () => {})
    kv.listenQueue(() => {})
    await kv.set(["a"], 1)
    setTimeout(() => {
      throw new Error("on purpose")
    }, 20)
  },

  async "forgotten and collected, it is still called"() {
    const [begun, called, handled] = [signal(), signal(), signal()]
    ;(() => {
      const kv = open()
      kv.watch(["a"], (entries, { initial }) => (initial ? begun.send() : called.send(entries[0].value)))
      kv.listenQueue(({ value }) => handled.send(value))
    })()
    await begun.received
    for (let at = 0; at < 2; at++) {
      await wait(20)
      collectGarbage()
    }
    const other = open()
    await other.set(["a"], 1)
    await other.enqueue(2)
    printJson([await called.received, await handled.received])
    process.exit(0)
  },

  async "two on one file, one is closed"() {
    const [first, second] = [open(), open()]
    let calls = 0
    const called = signal()
    first.watch(["a"], () => calls++)
    second.watch(["a"], (entries) => entries[0]?.value === "after" && called.send())
    first.listenQueue(() => {})
    const handled = signal()
    second.listenQueue(({ value }) => value === "after" && handled.send())
    await first.set(["a"], "before")
    await first.close()
    const before = calls
    await second.set(["a"], "after")
    await second.enqueue("after")
    await Promise.all([called.received, handled.received])
    await second.close()
    printJson(calls === before)
  },

  async "a thousand begun and stopped"() {
    const kv = open()
    for (let at = 0; at < 500; at++) {
      const subscriptions = [kv.watch(["a"], () => {}), kv.listenQueue(() => {}, { concurrency: 5 })]
      if (at % 10 === 0) await kv.set(["a"], at)
      for (const one of subscriptions) one.stop()
    }
    printJson("stopped")
  },

  async "a lock that nobody gives back"() {
    const kv = open()
    printJson((await kv.lock("a")).acquired)
  },
}

await scenarios[process.argv[2]]()
