import assert from "node:assert/strict"
import { test } from "node:test"
import { shiftClock } from "../../../dist/testing.js"
import { refused } from "../../support/assert.js"
import { counts, drained, Listener } from "../../support/listener.js"
import { useStore } from "../../support/store.js"
import { eventually, Gate } from "../../support/waiting.js"

const HOUR_MS = 3_600_000

/** The machine's clock steps, forward and back, while the store is in use. Laws 9 and 11. */
export function clock(target) {
  const store = useStore(target)

  // Seen to fail, as all tests here of a step back: with a store's clock that is the machine's.
  test("a step back: what was ready stays ready, and comes before what is added later", async () => {
    const { kv } = store
    for (const value of [0, 1, 2]) await kv.enqueue(value)
    shiftClock(kv, -HOUR_MS)
    for (const value of [3, 4]) await kv.enqueue(value)
    const listener = new Listener(kv)
    await listener.take(5)
    assert.deepEqual(listener.values, [0, 1, 2, 3, 4])
  })

  test("a step back: delays and retries take as long as they say", async () => {
    const { kv } = store
    const listener = new Listener(kv, ({ attempts }) => {
      if (attempts === 1) throw new Error("again")
    })
    await kv.enqueue("delayed", { delay: 30, backoffSchedule: [30] })
    shiftClock(kv, -HOUR_MS)
    await kv.enqueue("later", { delay: 30, backoffSchedule: [30] })
    shiftClock(kv, -2 * HOUR_MS)
    await listener.take(4)
    await drained(kv)
  })

  test("a step back: the lease of a worker that died runs out, and a lock ends", async () => {
    const { kv } = store
    await kv.enqueue("held")
    const first = new Listener(kv, () => {}, { autoAck: false, lockDuration: 100 })
    await first.next()
    await first.stop()
    const lock = await kv.lock("l", { duration: 100 })
    shiftClock(kv, -HOUR_MS)
    const next = new Listener(kv)
    assert.equal((await next.next()).attempts, 2)
    assert.ok(await eventually(async () => (await kv.lock("l")).acquired && lock.acquired))
  })

  test("a step back: what has expired stays away, and what is set expires in its time", async () => {
    const { kv } = store
    await kv.set(["a"], 1, { expiresIn: 20 })
    await eventually(async () => (await kv.get(["a"])).versionstamp === null)
    shiftClock(kv, -HOUR_MS)
    assert.equal((await kv.get(["a"])).value, null)
    await kv.set(["b"], 1, { expiresIn: 20 })
    await eventually(async () => (await kv.get(["b"])).versionstamp === null)
  })

  if (target.persistent) {
    // Seen to fail: with a file that knows of its last versionstamp alone, which no message needs.
    test("a clock that is behind the file's: what was ready is ready", async () => {
      shiftClock(store.kv, HOUR_MS)
      await store.kv.enqueue("before")
      await store.reopen()
      const listener = new Listener(store.kv)
      await store.kv.enqueue("after")
      await listener.take(2)
      assert.deepEqual(listener.values, ["before", "after"])
    })
  }

  // Seen to fail: with a claim that takes every message whose lease has run out.
  test("a step forward: what is handled here is not handled twice", async () => {
    const { kv } = store
    const gate = new Gate()
    const listener = new Listener(kv, ({ value }) => value === "long" && gate.pass(), { concurrency: 3 })
    await kv.enqueue("long")
    await listener.next()
    for (let step = 1; step <= 5; step++) {
      shiftClock(kv, step * HOUR_MS)
      await kv.enqueue(step)
      assert.equal((await listener.next()).value, step)
    }
    gate.open()
    await drained(kv)
    assert.deepEqual(listener.values, ["long", 1, 2, 3, 4, 5])
  })

  // Seen to fail: with leases that are judged by the time alone.
  test("a step forward: leases, locks and consumers last as long as they said", async () => {
    const { kv } = store
    await kv.enqueue("held")
    const first = new Listener(kv, () => {}, { autoAck: false, lockDuration: "1h" })
    await first.next()
    await first.stop()
    const lock = await kv.lock("l", { duration: "1h", owner: "me" })
    const [reader, other] = [kv.consumer("c", { lease: "1h" }), kv.consumer("c", { lease: "1h" })]
    await reader.read()
    shiftClock(kv, 100 * HOUR_MS)
    const { expiresAt } = await kv.lock.status("l")
    assert.ok(Math.abs(expiresAt - lock.expiresAt - 100 * HOUR_MS) < HOUR_MS, `${expiresAt}`)
    assert.equal((await kv.lock("l")).acquired, false)
    await store.sweep()
    assert.equal((await kv.lock("l")).acquired, false)
    await refused(() => other.read(), "BUSY", /holds its lease until/)
    assert.equal((await reader.status()).held, true)
    await counts(kv, { processing: 1, pending: 0 })
    const next = new Listener(kv)
    await kv.enqueue("new")
    assert.equal((await next.next()).value, "new")
    await counts(kv, { processing: 1, pending: 0 })
  })

  // Seen to fail: with a step forward for which every older lease waits, also those that were given after it.
  test("a step forward: the lease of a worker that died after it runs out", async () => {
    const { kv } = store
    shiftClock(kv, HOUR_MS)
    await kv.enqueue("held")
    const first = new Listener(kv, () => {}, { autoAck: false, lockDuration: 100 })
    await first.next()
    await first.stop()
    const next = new Listener(kv)
    assert.equal((await next.next()).attempts, 2)
  })

  for (const [what, ms] of [
    ["before 1970", -100 * 365 * 24 * HOUR_MS],
    ["a million years ahead", 1e6 * 365 * 24 * HOUR_MS],
  ]) {
    test(`a clock that is ${what} changes nothing but the time`, async () => {
      const { kv } = store
      shiftClock(kv, ms)
      await kv.set(["a"], kv.now(), { expiresIn: "1h" })
      const { value, versionstamp } = await kv.get(["a"])
      assert.ok(Number.isSafeInteger(value) && value >= 0, `${value}`)
      const { versionstamp: next } = await kv.set(["b", kv.uuidv7()], kv.uuidv7())
      assert.ok(next > versionstamp)
      const listener = new Listener(kv)
      await kv.enqueue(1)
      await listener.next()
      assert.equal((await kv.lock("l")).acquired, true)
      await kv.consumer("c").read()
    })
  }
}
