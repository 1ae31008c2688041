import { setTimeout as sleep } from "node:timers/promises"
import { ENTRIES, itemKey, newValue } from "../data.js"

/** Messages issued together; a chunk is a few hundred. */
const AT_ONCE = 64
const CHUNK = 5 * AT_ONCE
/**
 * Between two messages or changes that are measured by themselves: what follows the one is not billed to the
 * next.
 */
const PAUSE_MS = 2
/** A call of a peer that waits for its listener or watch gives up after this time. */
const TIMEOUT_MS = 30_000
/** A latency takes tens of milliseconds with some peers: that many budgets give it enough of them. */
const LATENCY_BUDGETS = 3

const message = (random) => newValue(random.below(ENTRIES), random)

/** The messages that a listener has handled. */
class Handled {
  count = 0
  #wanted = Number.POSITIVE_INFINITY
  #resolve

  handler = () => {
    if (++this.count === this.#wanted) this.#resolve()
  }

  /** Resolves when that many more were handled than `before`. */
  more(before, count) {
    this.#wanted = before + count
    if (this.count === this.#wanted) return Promise.resolve()
    return inTime(new Promise((resolve) => (this.#resolve = resolve)), "messages")
  }
}

/** The time until a number that was sent is delivered. */
class Echo {
  #number = 0
  #arrived

  seen = (number) => {
    if (number === this.#number) this.#arrived(performance.now())
  }

  /** Sends a new number; gives the µs until it was seen, and what sending gave. */
  async time(send) {
    const number = ++this.#number
    const arrived = new Promise((resolve) => (this.#arrived = resolve))
    const start = performance.now()
    const sent = send(number)
    const us = ((await inTime(arrived, "an answer")) - start) * 1000
    return { us, result: await sent }
  }
}

/** Rejects if a peer never answers, so that a run does not hang. */
async function inTime(promise, what) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} after ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

const enqueue = {
  needs: "queue",
  chunk: 4 * AT_ONCE,
  input: message,
  begin: (peer) => peer.queue(),
  call: (queue, value) => queue.enqueue(value),
  check: (_value, result) => result.ok,
  end: (queue) => queue.close(),
}

const handled = (options) => ({
  needs: options ? "hasQueues" : "queue",
  chunk: CHUNK,
  input: message,
  async begin(peer) {
    const done = new Handled()
    const queue = await peer.queue(done.handler, options)
    return { queue, done }
  },
  /** From the first enqueue of the chunk to its last handler. */
  async timed({ queue, done }, values) {
    const before = done.count
    let result
    for (let i = 0; i < values.length; i += AT_ONCE) {
      const calls = values.slice(i, i + AT_ONCE).map((value) => queue.enqueue(value))
      result = (await Promise.all(calls)).at(-1)
    }
    await done.more(before, values.length)
    return result
  },
  check: (_value, result) => result.ok,
  end: ({ queue }) => queue.close(),
})

/** One after the other; each latency by itself. `send(on, number)` is answered by `on.echo.seen(number)`. */
const latency = (send) => ({
  latency: true,
  chunk: 8,
  budgets: LATENCY_BUDGETS,
  input: () => null,
  async timed(on, inputs, latencies) {
    let last
    for (const _ of inputs) {
      const { us, result } = await on.echo.time((number) => send(on, number))
      latencies.push(us)
      last = result
      await sleep(PAUSE_MS)
    }
    return last
  },
  check: (_input, result) => result.ok,
})

const queueLatency = (options) => ({
  ...latency(({ queue }, number) => queue.enqueue({ number })),
  needs: options ? "hasQueues" : "queue",
  async begin(peer) {
    const echo = new Echo()
    const queue = await peer.queue(({ number }) => echo.seen(number), options)
    return { queue, echo }
  },
  end: ({ queue }) => queue.close(),
})

const WATCHED = ["watched"]

const watchLatency = {
  ...latency(({ peer }, number) => peer.set(WATCHED, { number })),
  needs: "watch",
  async begin(peer) {
    const echo = new Echo()
    await peer.set(WATCHED, { number: 0 })
    const stop = await peer.watch(WATCHED, ({ number }) => echo.seen(number))
    return { peer, echo, stop }
  },
  end: ({ stop }) => stop(),
}

/**
 * Rows of deliveries: messages and changes.
 *
 * @type {import("./rows.js").Row[]}
 */
export const liveRows = [
  { name: "enqueue, 64 at once", atOnce: AT_ONCE, ...enqueue },
  { name: "enqueue → handled, a message", ...handled() },
  { name: "queue latency, ms", unit: "ms", ...queueLatency() },
  { name: "watch latency", ...watchLatency },
]

/** Waiters in one process of a large app: a queue, a watch or a feed a user or a room. */
const WAITERS = 500
const KINDS = ["listeners", "watches", "feeds", "consumers"]
const SET_ALONE = "set in an empty store"

const setBeside = (kind) => ({
  needs: "waiting",
  atOnce: 1,
  chunk: 128,
  begin: (peer) => peer.waiting(kind, WAITERS),
  input: (random) => {
    const id = random.below(ENTRIES)
    return { key: itemKey(id), value: newValue(id, random) }
  },
  call: (on, { key, value }) => on.set(key, value),
  check: (_input, result) => result.ok,
  end: (on) => on.close(),
})

const idle = { idle: WAITERS - 1 }

/**
 * Rows of many that wait, each beside the name of the row without them (`alone`).
 *
 * @type {(import("./rows.js").Row & { alone: string })[]}
 */
export const besideRows = [
  {
    name: `enqueue → handled, ${WAITERS} queues, messages in one`,
    alone: "enqueue → handled, a message",
    ...handled(idle),
  },
  {
    name: `enqueue → handled, ${WAITERS} queues, messages in all`,
    alone: "enqueue → handled, a message",
    ...handled({ spread: WAITERS }),
  },
  {
    name: `queue latency, ${WAITERS} queues, ms`,
    alone: "queue latency, ms",
    unit: "ms",
    ...queueLatency(idle),
  },
  ...KINDS.map((kind) => ({
    name: `set beside ${WAITERS} idle ${kind}`,
    alone: SET_ALONE,
    ...setBeside(kind),
  })),
]

/** The baselines of `besideRows` that no other row provides. */
export const aloneRows = [{ name: SET_ALONE, ...setBeside("nothing") }]
