// subscriptions.js <what> <file> <count>: one measurement of watches, queues or the change feed, in its own
// process. Prints JSON, a line at a time.
import { setTimeout as sleep } from "node:timers/promises"
import { Kv } from "../../dist/index.js"
import { newValue } from "../data.js"
import { Random } from "../random.js"
import { median, percentile } from "../report/figures.js"

const [, , what, file, countText] = process.argv
const count = Number(countText)
const random = new Random(4)
const kv = new Kv(`file:${file}`)
const ping = ["ping"]

const report = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)

/** Milliseconds of a clock that all processes of the machine share. */
const sharedMs = () => Number(process.hrtime.bigint()) / 1e6

/**
 * The growth of resident memory from its start to its largest value; and the same without V8's heap.
 */
class Peak {
  #before
  #most
  #timer

  constructor() {
    globalThis.gc()
    this.#before = this.#most = memory()
    this.#timer = setInterval(this.look, 10)
  }

  look = () => {
    const now = memory()
    this.#most = this.#most.map((most, at) => Math.max(most, now[at]))
  }

  /** MB that were added, at most. */
  end() {
    this.look()
    clearInterval(this.#timer)
    const [all, native] = this.#most.map((most, at) => most - this.#before[at])
    return { all, native }
  }
}

/** MB of the process, and how many of them are outside V8's heap. */
function memory() {
  const { rss, heapTotal } = process.memoryUsage()
  return [rss / 1e6, (rss - heapTotal) / 1e6]
}

/** Opens the store and reads once, so that the measured growth does not include this. */
async function peakHere() {
  await kv.get(ping)
  await sleep(200)
  return new Peak()
}

/** Collects the latencies of another process's messages, and prints them. The first one is not counted. */
function hear(subscribe) {
  const latencies = []
  return new Promise((resolve) => {
    const subscription = subscribe(({ sentMs }) => {
      latencies.push(sharedMs() - sentMs)
      if (latencies.length === count + 1) resolve(subscription)
    })
    report({ ready: true })
  }).then((subscription) => {
    subscription.stop()
    latencies.shift()
    report({ p50: percentile(latencies, 50), p95: percentile(latencies, 95), max: Math.max(...latencies) })
  })
}

/** Sends one at a time, at moments unrelated to any timer of the other process. */
async function say(send) {
  for (let i = 0; i <= count; i++) {
    await send({ sentMs: sharedMs() })
    await sleep(20 + random.below(80))
  }
  report({ said: count })
}

const load = () =>
  kv.setMany(
    (function* () {
      for (let id = 0; id < count; id++) yield { key: ["n", id], value: { id, text: random.hex(160) } }
    })(),
  )

/** Random sets of the keys that `load` has written, 64 at once, until `until` says so. */
async function overload(until) {
  let sets = 0
  while (!until()) {
    const calls = Array.from({ length: 64 }, () => {
      const id = random.below(count)
      return kv.set(["n", id], newValue(id, random))
    })
    await Promise.all(calls)
    sets += calls.length
  }
  return sets
}

/** A versionstamp as a number: the lower digits of its milliseconds (17 minutes) and of its counter. */
function stampOf(versionstamp) {
  const digits = versionstamp.replaceAll("-", "")
  return Number.parseInt(digits.slice(7, 12) + digits.slice(16, 22), 16)
}

const forMs = (ms) => {
  const end = performance.now() + ms
  return () => performance.now() > end
}

/** Microseconds per set of a key that nobody watches: the median of 500, one at a time. */
async function setUs() {
  const times = []
  for (let i = 0; i < 500; i++) {
    const start = performance.now()
    await kv.set(["other", random.below(1000)], newValue(i, random))
    times.push((performance.now() - start) * 1000)
  }
  return median(times)
}

const work = {
  hearWatch: () =>
    hear((on) => kv.watch(ping, ([entry]) => on(entry.value), { exact: true, emitInitial: false })),
  hearQueue: () => hear((on) => kv.listenQueue(({ value }) => on(value))),
  sayWatch: () => say((value) => kv.set(ping, value)),
  sayQueue: () => say((value) => kv.enqueue(value)),

  async load() {
    await load()
    report({})
  },

  /** Changes per second, over the whole log that `load` has written. */
  async feed() {
    const start = performance.now()
    let seen = 0
    for await (const _ of kv.changes()) seen++
    report({ seen, aSecond: seen / ((performance.now() - start) / 1000) })
  },

  /** The same with a consumer, which commits its position. */
  async consume() {
    const consumer = kv.consumer("bench")
    const start = performance.now()
    let seen = 0
    for (;;) {
      const changes = await consumer.read(1000)
      if (changes.length === 0) break
      seen += changes.length
      await consumer.commit(changes.at(-1).seq)
    }
    report({ seen, aSecond: seen / ((performance.now() - start) / 1000) })
  },

  /** A watch of a large prefix, which delivers its current state. */
  async watch() {
    const peak = await peakHere()
    const start = performance.now()
    let seen = 0
    await new Promise((resolve) => {
      kv.watch({ prefix: ["n"] }, (entries) => {
        seen += entries.length
        peak.look()
        if (seen >= count) resolve()
      })
    })
    report({ seen, ms: performance.now() - start, added: peak.end() })
  },

  /**
   * A watch whose callback takes 50 ms beside a writer at full speed; at the end it must have the newest
   * values.
   */
  async overload() {
    const quiet = await peakHere()
    const before = await overload(forMs(5000))
    const without = quiet.end()
    const reported = new Float64Array(count) // a stamp for each key, not a text: its memory would be counted
    const peak = new Peak()
    let batches = 0
    let reached = ""
    const watch = kv.watch(
      { prefix: ["n"] },
      async (entries, { versionstamp: upTo }) => {
        batches++
        reached = upTo
        for (const { key, versionstamp } of entries) reported[key[1]] = stampOf(versionstamp)
        await sleep(50)
      },
      { emitInitial: false },
    )
    const sets = await overload(forMs(5000))
    const added = peak.end()
    const { versionstamp: last } = await kv.set(["n", 0], "the last one")
    const start = performance.now()
    while (reached < last && performance.now() - start < 120_000) await sleep(10)
    const behindMs = performance.now() - start
    if (reached < last) throw new Error("the watch never reported the last change")
    watch.stop()
    for await (const { key, versionstamp } of kv.list({ prefix: ["n"], end: ["n", count] }))
      if (reported[key[1]] !== 0 && reported[key[1]] !== stampOf(versionstamp))
        throw new Error(`the watch reported an old state of ${key}`)
    report({
      setsBefore: before,
      sets,
      batches,
      keys: reported.filter((stamp) => stamp !== 0).length,
      without,
      added,
      behindMs,
    })
  },

  /** Fills a queue, 256 at once. */
  async enqueue() {
    const peak = await peakHere()
    const start = performance.now()
    for (let i = 0; i < count; i += 256) {
      const calls = Array.from({ length: Math.min(256, count - i) }, (_, at) =>
        kv.enqueue(newValue(i + at, random)),
      )
      await Promise.all(calls)
    }
    const ms = performance.now() - start
    report({ us: (ms * 1000) / count, added: peak.end(), pending: (await kv.queueStats()).pending })
  },

  /** A listener on that queue, whose handlers do not end; then one that handles as fast as it can. */
  async listen() {
    const peak = await peakHere()
    let release
    const held = new Promise((resolve) => (release = resolve))
    let begun = 0
    const slow = kv.listenQueue(
      () => {
        begun++
        return held
      },
      { concurrency: 64 },
    )
    await sleep(3000)
    const idle = peak.end()
    slow.stop()
    release()
    await slow.finished
    const busy = new Peak()
    let handled = 0
    let last = performance.now()
    const start = last
    const fast = kv.listenQueue(
      () => {
        handled++
        last = performance.now()
      },
      { concurrency: 64 },
    )
    while (handled < count - begun && performance.now() - start < 3000) await sleep(10)
    fast.stop()
    await fast.finished
    const us = ((last - start) * 1000) / handled
    report({ begun, idle, busy: busy.end(), handled, us })
  },

  /** Many watches of as many keys; then sets of other keys. */
  async watches() {
    const before = await setUs()
    const peak = await peakHere()
    const start = performance.now()
    let delivered = 0
    let fired = 0
    const watches = []
    await new Promise((resolve) => {
      for (let i = 0; i < count; i++)
        watches.push(
          kv.watch(["w", i], (_, { initial }) => {
            if (!initial) fired++
            else if (++delivered === count) resolve()
          }),
        )
    })
    const openMs = performance.now() - start
    const added = peak.end()
    const after = await setUs()
    if (fired > 0) throw new Error(`${fired} watches reported other keys`)
    const closing = performance.now()
    for (const watch of watches) watch.stop()
    await Promise.all(watches.map(({ finished }) => finished))
    report({ before, after, openMs, closeMs: performance.now() - closing, added })
  },

  /** The cost of a waiting process over `count` ms. */
  async idle() {
    await kv.get(ping)
    const used = async () => {
      await sleep(1000)
      const [cpu, resources] = [process.cpuUsage(), process.resourceUsage()]
      await sleep(count)
      const { user, system } = process.cpuUsage(cpu)
      const switches = process.resourceUsage().voluntaryContextSwitches - resources.voluntaryContextSwitches
      return { cpuMs: (user + system) / 1000, switches }
    }
    const nothing = await used()
    kv.watch(["watched"], () => {})
    kv.listenQueue(() => {})
    report({ nothing, waiting: await used() })
  },
}

await work[what]()
await kv.close()
