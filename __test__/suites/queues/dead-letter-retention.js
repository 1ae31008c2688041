import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { counts, drained, Listener } from "../../support/listener.js"
import { sql } from "../../support/runtimes.js"
import { T0, useStore } from "../../support/store.js"
import { deferred, pause, within } from "../../support/waiting.js"

const fail = ({ value }) => Promise.reject(new Error(`error of ${value}`))

/** Which messages leave a dead letter, and for how long it is kept. */
export function deadLetterRetention(target) {
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
      const reported = deferred()
      kv.watch({ prefix: ["undelivered"] }, reported.resolve, { emitInitial: false })
      await add(kv, "m", { backoffSchedule: [], deadLetter: false, keysIfUndelivered: keys })
      const listener = new Listener(kv, fail)
      const { error } = await listener.errors.next("the error")
      assert.equal(error.message, "error of m")
      const entries = await within(reported.promise, "the batch")
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

  // Seen to fail: count the mark in the schedule as a wait, and an attempt is begun more than the schedule
  // says.
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

  describe("with a retention", () => {
    const brief = useStore(target, { options: { deadLetterRetention: "1h" } })
    const HOUR = 3_600_000

    async function die(kv, count) {
      const { dlq } = await kv.queueStats()
      for (let at = 0; at < count; at++) await kv.enqueue(at, { backoffSchedule: [] })
      const listener = new Listener(kv, fail, { concurrency: 100 })
      await counts(kv, { dlq: dlq + count, pending: 0, processing: 0 })
      await listener.stop()
    }

    // Seen to fail: the sweep knew no retention; it removed what is a millisecond too young.
    test("a sweep removes dead letters that are older, by the store's time, and no others", async () => {
      const { kv } = brief
      for (const [at, count] of [
        [T0, 2],
        [T0 + 10, 3],
      ]) {
        brief.at(at)
        await die(kv, count)
      }
      for (const [at, left] of [
        [T0 + HOUR - 1, 5],
        [T0 + HOUR, 3],
        [T0 + HOUR + 9, 3],
        [T0 + HOUR + 10, 0],
      ]) {
        brief.at(at)
        await brief.sweep()
        assert.equal((await kv.queueStats()).dlq, left, `at ${at - T0}`)
      }
    })

    // Seen to fail: a sweep was one step.
    test("one sweep removes as many as there are; what lives is left alone", async () => {
      brief.at(T0)
      await die(brief.kv, 1200)
      await brief.kv.enqueue("alive")
      brief.at(T0 + HOUR)
      await brief.sweep()
      assert.deepEqual(await brief.kv.queueStats(), { pending: 1, processing: 0, dlq: 0, total: 1 })
    })

    test("info shows it", async () => {
      assert.equal((await brief.kv.info()).deadLetterRetentionMs, HOUR)
    })

    // Seen to fail: an opener that said nothing took it back.
    test("it lives in the file; null is for ever again", { skip: !target.persistent }, async () => {
      const reported = async (options) => (await (await brief.reopen(options)).info()).deadLetterRetentionMs
      assert.equal(await reported({ deadLetterRetention: undefined }), HOUR)
      assert.equal(await reported({ deadLetterRetention: "2m" }), 120_000)
      assert.equal(await reported({ deadLetterRetention: undefined }), 120_000)
      const second = brief.another({ deadLetterRetention: 5 })
      assert.equal((await brief.kv.info()).deadLetterRetentionMs, 5)
      assert.equal((await second.info()).deadLetterRetentionMs, 5)
      assert.equal(await reported({ deadLetterRetention: null }), null)
      assert.equal(await reported({ deadLetterRetention: undefined }), null)
    })
  })

  test("without one they are kept for ever", async () => {
    store.at(T0)
    const { kv } = store
    await kv.enqueue("m", { backoffSchedule: [] })
    new Listener(kv, fail)
    await counts(kv, { dlq: 1 })
    store.at(T0 + 1e12)
    await store.sweep()
    assert.equal((await kv.queueStats()).dlq, 1)
    assert.equal((await kv.info()).deadLetterRetentionMs, null)
  })

  const STRANDING = {
    "an unknown status": ["status = 'gone'", /status/],
    "a status that is no text": ["status = x'70656e64696e67'", /status/],
    "a lease without an end": ["status = 'processing'", /its lease has no end/],
    "a lease that ends at a text": ["status = 'processing', locked_until = 'soon'", /its lease has no end/],
    "a time that is a text": ["ready_at = 'soon'", /ready_at/],
    "a time that is a blob": ["ready_at = x'00'", /ready_at/],
    "an impossible time": ["ready_at = 9223372036854775807", /ready_at/],
    "a time that JavaScript cannot count": ["ready_at = 9007199254740991", /ready_at/],
    "a lease for ever": ["status = 'processing', locked_until = 1e300", /its lease has no end/],
    "a queue that is no text": ["queue = x'64656661756c74'", /queue/],
    "a queue that is no UTF-8": ["queue = CAST(x'ff' AS TEXT)", /queue/],
  }
  for (const [what, [damage, reason]] of Object.entries(STRANDING)) {
    // Seen to fail: they lay there for ever, and what was behind them with their ordering key, too.
    test(`a sweep sets aside what no listener would ever find: ${what}`, {
      skip: !target.persistent,
    }, async () => {
      const { kv } = store
      const { id } = await kv.enqueue("hidden", { orderingKey: "o", deadLetter: false })
      await kv.enqueue("behind", { orderingKey: "o" })
      await kv.enqueue("sound")
      await sql(store.url.slice("file:".length), `UPDATE kv_queue SET ${damage} WHERE id = '${id}'`)
      const listener = new Listener(kv)
      await listener.next()
      await store.sweep()
      await counts(kv, { dlq: 1, total: 1 })
      const [letter, ...rest] = await kv.dlq.list()
      assert.deepEqual(rest, [])
      assert.deepEqual([letter.originalId, letter.value], [id, "hidden"])
      assert.match(letter.errorMessage, reason)
      assert.deepEqual(listener.values.toSorted(), ["behind", "sound"])
      await listener.stop()
      await store.sweep()
      assert.equal((await kv.queueStats()).total, 1)
    })
  }

  // Seen to fail: it claimed again and again, as if the text were a time in the past.
  test("a listener does not spin beside a message whose time is a text", {
    skip: !target.persistent,
  }, async () => {
    const { kv } = store
    const { id } = await kv.enqueue("hidden")
    await sql(store.url.slice("file:".length), `UPDATE kv_queue SET ready_at = 'soon' WHERE id = '${id}'`)
    const asked = async () => (await kv.metrics("json")).operations.queue.count
    const listener = new Listener(kv)
    await kv.enqueue("sound")
    await listener.next()
    await counts(kv, { pending: 1, processing: 0 })
    const before = await asked()
    for (let turns = 0; turns < 50; turns++) await kv.get(["any"])
    await pause(20)
    assert.ok((await asked()) - before < 10)
    await listener.stop()
  })

  test("deadLetter: false survives a restart", { skip: !target.persistent }, async () => {
    await store.kv.enqueue("m", { backoffSchedule: [], deadLetter: false })
    await store.reopen()
    const listener = new Listener(store.kv, fail)
    await listener.next()
    await counts(store.kv, { total: 0 })
  })
}
