import assert from "node:assert/strict"
import { test } from "node:test"
import { Listener } from "../../support/listener.js"
import { Random } from "../../support/random.js"
import { T0, useStore } from "../../support/store.js"
import { pause } from "../../support/waiting.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const MESSAGES = 300

/** What every message must have gone through. */
class Fates {
  /** By the message's number. */
  all = []
  runningKeys = new Set()
  faults = []

  constructor(random) {
    this.random = random
  }

  /** A message that fails some times, and the options that it is sent with. */
  make() {
    const { random } = this
    const backoffSchedule = random.many(random.int(4), () => 1 + random.int(40))
    const fate = {
      n: this.all.length,
      failures: random.chance(0.6) ? 0 : random.int(5),
      backoffSchedule,
      orderingKey: random.chance(0.5) ? random.pick(["a", "b", "c"]) : undefined,
      keysIfUndelivered: random.chance(0.5) ? [["dead", this.all.length]] : undefined,
      attempts: 0,
      handled: false,
    }
    this.all.push(fate)
    return fate
  }

  dies({ failures, backoffSchedule }) {
    return failures > backoffSchedule.length
  }

  /** The handler: fails as the message says, and looks at its order. */
  handle = async ({ value: n, attempts }) => {
    const fate = this.all[n]
    const { orderingKey } = fate
    const earliest = this.all.find((other) => other.orderingKey === orderingKey && !this.over(other))
    if (attempts !== ++fate.attempts)
      this.faults.push(`message ${n}: attempt ${fate.attempts} said ${attempts}`)
    if (fate.handled) this.faults.push(`message ${n} was handled already`)
    if (orderingKey !== undefined) {
      if (this.runningKeys.has(orderingKey)) this.faults.push(`${orderingKey} twice at once`)
      this.runningKeys.add(orderingKey)
      if (earliest !== fate) this.faults.push(`message ${n} before ${earliest?.n} of its key`)
    }
    try {
      if (this.random.chance(0.5)) await pause(0)
      if (fate.attempts <= fate.failures) throw new Error(`message ${n}, attempt ${attempts}`)
      fate.handled = true
    } finally {
      if (orderingKey !== undefined) this.runningKeys.delete(orderingKey)
    }
  }

  over(fate) {
    return fate.handled || fate.attempts > fate.backoffSchedule.length
  }
}

/**
 * Law 4 without a crash: every message is handled once, or tried as often as it may be and then dead. Seen to
 * fail: claim without asking whether the ordering key is busy.
 */
export function queuesRandom(target) {
  const store = useStore(target)

  test(`${MESSAGES} messages that fail at random (KEYVAL_SEED=${SEED})`, { timeout: 600_000 }, async () => {
    const fates = new Fates(new Random(SEED))
    const { kv } = store
    let now = T0
    const advance = (ms) => {
      now += ms
      store.at(now)
    }
    advance(0)
    const kvs = target.shared ? [kv, store.another()] : [kv]
    const listen = (each) =>
      new Listener(each, fates.handle, { concurrency: 1 + fates.random.int(8), lockDuration: "1d" })
    const listeners = kvs.map(listen)
    for (let sent = 0; sent < MESSAGES; ) {
      const count = 1 + fates.random.int(5)
      const atomic = kv.atomic()
      for (let at = 0; at < count; at++, sent++) {
        const { n, backoffSchedule, orderingKey, keysIfUndelivered } = fates.make()
        atomic.enqueue(n, { backoffSchedule, orderingKey, keysIfUndelivered })
      }
      await atomic.commit()
      if (fates.random.chance(0.3)) advance(fates.random.int(10))
      if (fates.random.chance(0.1)) {
        const at = fates.random.int(kvs.length)
        // What it has fetched and not begun goes to the next.
        const stopped = listeners[at].stop()
        listeners[at] = listen(kvs[at])
        if (fates.random.chance(0.5)) await stopped
      }
    }
    const end = performance.now() + 200_000
    while (!fates.all.every((fate) => fates.over(fate)) && performance.now() < end) {
      advance(10)
      await pause(1)
    }
    assert.deepEqual(fates.faults, [])
    const open = fates.all.filter((fate) => !fates.over(fate))
    assert.deepEqual(open, [], "every message is over")
    for (const listener of listeners) await listener.stop()

    const dead = fates.all.filter((fate) => fates.dies(fate))
    const letters = await kv.dlq.list({ limit: 1000 })
    assert.deepEqual(
      letters.map(({ value }) => value).sort((a, b) => a - b),
      dead.map(({ n }) => n),
    )
    for (const { value, attempts, errorMessage } of letters) {
      const expected = fates.all[value].backoffSchedule.length + 1
      assert.deepEqual([attempts, errorMessage], [expected, `message ${value}, attempt ${expected}`])
    }
    for (const fate of fates.all) {
      if (!fates.dies(fate)) assert.deepEqual([fate.handled, fate.attempts], [true, fate.failures + 1])
      const { value } = await kv.get(["dead", fate.n])
      const written = fates.dies(fate) && fate.keysIfUndelivered !== undefined
      assert.equal(value, written ? fate.n : null)
    }
    assert.deepEqual(await kv.queueStats(), {
      pending: 0,
      processing: 0,
      dlq: dead.length,
      total: dead.length,
    })
  })

  // Seen to fail: let a message wait for one of its key that is not ready yet.
  test(`${MESSAGES} delayed messages of few keys: each in its turn, as soon as it is ready (KEYVAL_SEED=${SEED})`, {
    timeout: 120_000,
  }, async () => {
    const random = new Random(SEED)
    const { kv } = store
    let now = T0
    store.at(now)
    const waiting = new Set()
    const faults = []
    const isBefore = (a, b) => a.ready < b.ready || (a.ready === b.ready && a.n < b.n)
    const all = []
    const handle = ({ value: n }) => {
      const one = all[n]
      if (!waiting.delete(one)) faults.push(`message ${n} came twice`)
      for (const other of waiting)
        if (other.key === one.key && other.ready <= now && isBefore(other, one))
          faults.push(`message ${n} before ${other.n} of its key`)
    }
    const listener = new Listener(kv, handle, { concurrency: 3 })
    const isDue = ({ ready }) => ready <= now
    while (all.length < MESSAGES || waiting.size > 0) {
      const count = Math.min(random.int(6), MESSAGES - all.length)
      const atomic = kv.atomic()
      for (let at = 0; at < count; at++) {
        const delay = random.chance(0.5) ? 0 : random.int(40)
        const one = { n: all.length, key: random.pick(["a", "b", undefined]), ready: now + delay }
        all.push(one)
        waiting.add(one)
        atomic.enqueue(one.n, { delay, orderingKey: one.key })
      }
      await atomic.commit()
      const end = performance.now() + 30_000
      while ([...waiting].some(isDue) && performance.now() < end) await pause(0)
      assert.deepEqual([...waiting].filter(isDue), [], "what is ready is handled")
      now += random.int(10)
      store.at(now)
    }
    await listener.stop()
    assert.deepEqual(faults, [])
  })
}
