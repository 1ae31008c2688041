import assert from "node:assert/strict"
import { test } from "node:test"
import { counts, drained, Listener } from "../support/queues.js"
import { T0, useStore } from "../support/store.js"
import { deferred, within } from "../support/waiting.js"

const fail = ({ value }) => Promise.reject(new Error(`error of ${value}`))

/** Which messages leave a dead letter, and for how long it is kept. */
export function deadLettersKept(target) {
  const store = useStore(target)

  const adding = {
    enqueue: (kv, value, options) => kv.enqueue(value, options),
    atomic: (kv, value, options) => kv.atomic().enqueue(value, options).commit(),
    transaction: (kv, value, options) => kv.transaction((tx) => void tx.enqueue(value, options)),
  }
  for (const [name, add] of Object.entries(adding)) {
    // Seen to fail: keep a dead letter whatever the message says.
    test(`${name}: deadLetter: false leaves none behind; keysIfUndelivered are written and watched`, async () => {
      const { kv } = store
      const keys = [["undelivered", 1]]
      const told = deferred()
      kv.watch({ prefix: ["undelivered"] }, told.resolve, { emitInitial: false })
      await add(kv, "m", { backoffSchedule: [], deadLetter: false, keysIfUndelivered: keys })
      const listener = new Listener(kv, fail)
      const { error } = await listener.errors.next("the error")
      assert.equal(error.message, "error of m")
      const entries = await within(told.promise, "the batch")
      assert.deepEqual(
        entries.map(({ key, value }) => [key, value]),
        [[keys[0], "m"]],
      )
      await drained(kv)
      assert.deepEqual(await kv.queueStats(), { pending: 0, processing: 0, dlq: 0, total: 0 })
      assert.deepEqual(await kv.dlq.list(), [])
      assert.equal(await kv.changes.head(), 1)
    })
  }

  test("deadLetter: true, and none, keep one", async () => {
    const { kv } = store
    for (const options of [{ deadLetter: true }, {}, { deadLetter: undefined }])
      await kv.enqueue("m", { backoffSchedule: [], ...options })
    new Listener(kv, fail)
    await counts(kv, { dlq: 3, total: 3 })
  })

  // Seen to fail: count the mark in the schedule as a wait, and an attempt is begun more than the schedule says.
  test("deadLetter: false takes no attempt and no wait away, and adds none", async () => {
    store.at(T0)
    const { kv } = store
    await kv.enqueue("m", { backoffSchedule: [10, 20], deadLetter: false })
    const listener = new Listener(kv, fail)
    for (const at of [T0 + 10, T0 + 30]) {
      await listener.next()
      await counts(kv, { pending: 1, processing: 0 })
      store.at(at)
    }
    await listener.next()
    await counts(kv, { total: 0 })
    assert.deepEqual(
      listener.inbox.all.map(({ attempts }) => attempts),
      [1, 2, 3],
    )
  })

  // Seen to fail: remove the message and let nobody go, and the second one is blocked for ever.
  test("the next message of an ordering key begins when one ends without a dead letter", async () => {
    const { kv } = store
    const options = { backoffSchedule: [], deadLetter: false, orderingKey: "o" }
    for (const value of [1, 2, 3]) await kv.enqueue(value, options)
    const listener = new Listener(kv, fail)
    await listener.take(3)
    await counts(kv, { total: 0 })
    assert.deepEqual(listener.values, [1, 2, 3])
  })

  test("a deduplication key is free when its message has ended without a dead letter", async () => {
    const { kv } = store
    const options = { backoffSchedule: [], deadLetter: false, deduplicationKey: "d" }
    const first = await kv.enqueue(1, options)
    assert.equal((await kv.enqueue(2, options)).id, first.id)
    const listener = new Listener(kv, fail)
    await counts(kv, { total: 0 })
    const second = await kv.enqueue(3, options)
    assert.notEqual(second.id, first.id)
    await counts(kv, { total: 0 })
    assert.deepEqual(listener.values, [1, 3])
  })

  test("nackMessage of the last attempt leaves none either", async () => {
    const { kv } = store
    await kv.enqueue("m", { backoffSchedule: [], deadLetter: false, keysIfUndelivered: [["k"]] })
    new Listener(kv, ({ id }) => kv.nackMessage(id, { error: "no" }), { autoAck: false })
    await counts(kv, { total: 0 })
    assert.equal((await kv.get(["k"])).value, "m")
  })

  // Seen to fail: keep a dead letter of each lease that runs out.
  test("a lease that runs out in the last attempt leaves none either", async () => {
    store.at(T0)
    const { kv } = store
    await kv.enqueue("m", { backoffSchedule: [], deadLetter: false, keysIfUndelivered: [["k"]] })
    await kv.enqueue("kept", { backoffSchedule: [] })
    const holder = new Listener(kv, () => {}, { autoAck: false, lockDuration: "10s", concurrency: 2 })
    await holder.take(2)
    await holder.stop()
    store.at(T0 + 10_000)
    new Listener(kv)
    await counts(kv, { pending: 0, processing: 0, dlq: 1 })
    assert.equal((await kv.get(["k"])).value, "m")
    assert.equal((await kv.dlq.list())[0].value, "kept")
  })

  test("it survives a restart", { skip: !target.persistent }, async () => {
    await store.kv.enqueue("m", { backoffSchedule: [], deadLetter: false })
    await store.reopen()
    const listener = new Listener(store.kv, fail)
    await listener.next()
    await counts(store.kv, { total: 0 })
  })
}
