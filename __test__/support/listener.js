import { eventually, Inbox } from "./waiting.js"

/** A listener whose messages a test awaits; `work` is done in the handler. */
export class Listener {
  inbox = new Inbox()
  errors = new Inbox()
  running = 0
  /** The most handlers that ran at one time. */
  most = 0

  constructor(kv, work = () => {}, options = {}) {
    this.subscription = kv.listenQueue(
      async (message) => {
        this.most = Math.max(this.most, ++this.running)
        this.inbox.put(message)
        try {
          return await work(message)
        } finally {
          this.running--
        }
      },
      { onError: (error, message) => this.errors.put({ error, message }), ...options },
    )
  }

  /** The values that were given to the handler, in order, each attempt. */
  get values() {
    return this.inbox.all.map(({ value }) => value)
  }

  next() {
    return this.inbox.next("a message")
  }

  take(count) {
    return this.inbox.take(count)
  }

  async stop() {
    this.subscription.stop()
    await this.subscription.finished
  }
}

/** Waits until the counts of a queue (or of all) are these; those that are not named do not matter. */
export function counts(kv, expected, queue) {
  let stats
  const reached = async () => {
    stats = await kv.queueStats(queue)
    return Object.entries(expected).every(([name, count]) => stats[name] === count) && stats
  }
  const what = { toString: () => `counts ${JSON.stringify(expected)}, but ${JSON.stringify(stats)}` }
  return eventually(reached, what)
}

/** Waits until every message was handled or is dead. */
export function drained(kv, queue) {
  return counts(kv, { pending: 0, processing: 0 }, queue)
}
