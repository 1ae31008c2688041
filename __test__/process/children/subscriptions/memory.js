// memory.js <scenario> <file> <operations> <allowed bytes> <rounds>: prints how large the process is before
// and after so many operations, in bytes, and what received. Before that, as many in each round of the
// warm-up.
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

const [scenario, file, operations, allowed, rounds] = process.argv.slice(2)
const COUNT = Number(operations)
const TOGETHER = 200
const kv = new Kv(file, { durability: "off", sweepInterval: 0 })
const WARM_UPS = 2
const PAD = "x".repeat(1000)
const received = { calls: 0, entries: 0 }

function collectGarbage() {
  for (let at = 0; at < 3; at++) (globalThis.gc ?? globalThis.Bun?.gc)?.(true)
}

async function rss() {
  for (let at = 0; at < 3; at++) {
    collectGarbage()
    await wait(50)
  }
  return process.memoryUsage().rss
}

/** As many sets of 1 KB, each of a key of its own. */
async function write(round) {
  for (let from = 0; from < COUNT; from += TOGETHER) {
    const sets = Array.from({ length: TOGETHER }, (_, at) =>
      kv.set(["n", from + at], `${round}${from + at}${PAD}`),
    )
    await Promise.all(sets)
  }
}

async function handleAll(round) {
  let handled = 0
  const listener = kv.listenQueue(({ value }) => value.round === round && handled++, { concurrency: 100 })
  for (let from = 0; from < COUNT; from += TOGETHER) {
    const messages = Array.from({ length: TOGETHER }, () => kv.enqueue({ round, pad: PAD }))
    await Promise.all(messages)
  }
  while (handled < COUNT) await wait(5)
  listener.stop()
  await listener.finished
  received.calls += handled
}

/**
 * The rounds of the warm-up, and the one that is measured; another one if it has grown too much, as it may
 * once.
 */
async function measure(work) {
  for (let round = 0; round < WARM_UPS; round++) {
    await work(round)
    await rss()
  }
  let [before, after] = [0, await rss()]
  let round = 0
  do {
    before = after
    await work(WARM_UPS + round++)
    after = await rss()
  } while (after - before >= Number(allowed) && round < Number(rounds))
  return { before, after }
}

const scenarios = {
  async "a slow watch"() {
    kv.watch(
      ["n"],
      async (entries) => {
        received.calls++
        received.entries += entries.length
        await wait(50)
      },
      { emitInitial: false },
    )
    return measure(write)
  },

  async "a watch that is stuck"() {
    kv.watch(["n"], () => {
      received.calls++
      return new Promise(() => {})
    })
    return measure(write)
  },

  async "iterators that nobody reads on"() {
    await write(0)
    const iterators = [kv.watch(["n"]), kv.changes({ live: true }), kv.consumer("c")[Symbol.asyncIterator]()]
    for (const one of iterators) await one.next()
    return measure(write)
  },

  async "a listener"() {
    return measure(handleAll)
  },
}

printJson({ ...(await scenarios[scenario]()), received })
await kv.close()
