import assert from "node:assert/strict"
import { test } from "node:test"
import { plain, refused } from "../../support/assert.js"
import { counts, drained, Listener } from "../../support/listener.js"
import { T0, useStore } from "../../support/store.js"
import { samples } from "../../support/tables/samples.js"
import { eventually, Gate, pause } from "../../support/waiting.js"

/** Messages from enqueue to their handler. Time is frozen where it matters. */
export function queues(target) {
  const store = useStore(target)

  test("a message that was there before the listener", async () => {
    const { ok, id } = await store.kv.enqueue({ a: 1 })
    assert.equal(ok, true)
    assert.ok(typeof id === "string" && id.length > 0)
    const listener = new Listener(store.kv)
    assert.deepEqual(await listener.next(), { id, value: { a: 1 }, attempts: 1 })
    await drained(store.kv)
    assert.deepEqual(await store.kv.queueStats(), { pending: 0, processing: 0, dlq: 0, total: 0 })
  })

  test("a message that comes while it listens", async () => {
    const listener = new Listener(store.kv)
    for (let at = 0; at < 20; at++) {
      const { id } = await store.kv.enqueue(at)
      assert.deepEqual(await listener.next(), { id, value: at, attempts: 1 })
    }
    await drained(store.kv)
  })

  test("messages survive close", { skip: !target.persistent }, async () => {
    const { id } = await store.kv.enqueue("kept")
    await store.reopen()
    assert.deepEqual(await new Listener(store.kv).next(), { id, value: "kept", attempts: 1 })
  })

  test("every value comes as it was", async () => {
    const values = Object.values(samples())
    for (const value of values) await store.kv.enqueue(value)
    const listener = new Listener(store.kv)
    const given = await listener.take(values.length)
    for (const [at, value] of values.entries()) {
      assert.deepEqual(plain(given[at].value), plain(value))
    }
    await drained(store.kv)
  })

  test("a value is read when it is passed", async () => {
    const value = { a: 1 }
    const enqueued = store.kv.enqueue(value)
    value.a = 2
    await enqueued
    assert.deepEqual((await new Listener(store.kv).next()).value, { a: 1 })
  })

  test("order: when they are ready, then that of their commits", async () => {
    store.at(T0)
    const { kv } = store
    await kv.enqueue("last", { delay: 20 })
    await kv.enqueue("first of 10", { delay: 10 })
    await kv.enqueue("second of 10", { delay: 10 })
    await kv.enqueue("now")
    await kv.atomic().enqueue("a").enqueue("late", { delay: 15 }).enqueue("b").enqueue("c").commit()
    store.at(T0 + 5)
    await kv.enqueue("third of 10", { delay: 5 })
    await kv.enqueue("at 5")
    store.at(T0 + 20)
    const listener = new Listener(kv)
    await listener.take(10)
    assert.deepEqual(listener.values, [
      "now",
      "a",
      "b",
      "c",
      "at 5",
      "first of 10",
      "second of 10",
      "third of 10",
      "late",
      "last",
    ])
  })

  test("a delayed message comes at its time and not before it", async () => {
    store.at(T0)
    const listener = new Listener(store.kv)
    await store.kv.enqueue("delayed", { delay: "1s" })
    for (const time of [0, 1, 999]) {
      store.at(T0 + time)
      await store.kv.enqueue(time)
      assert.equal((await listener.next()).value, time)
    }
    await counts(store.kv, { pending: 1, processing: 0, total: 1 })
    store.at(T0 + 1000)
    assert.equal((await listener.next()).value, "delayed")
  })

  test("a delayed message comes with a clock that runs", async () => {
    const begun = Number(store.kv.now())
    const listener = new Listener(store.kv)
    await store.kv.enqueue("later", { delay: 60 })
    await listener.next()
    const waited = Number(store.kv.now()) - begun
    assert.ok(waited >= 60, `after ${waited} ms`)
  })

  test("a delay of 0 is none, and one of a year is kept", async () => {
    store.at(T0)
    const listener = new Listener(store.kv)
    await store.kv.enqueue("year", { delay: "1y" })
    await store.kv.enqueue("now", { delay: 0 })
    assert.equal((await listener.next()).value, "now")
    store.at(T0 + 365 * 86_400_000)
    assert.equal((await listener.next()).value, "year")
  })

  test("a delay counts from the commit on", async () => {
    store.at(T0)
    const atomic = store.kv.atomic().enqueue("m", { delay: 100 })
    store.at(T0 + 50)
    await atomic.commit()
    const listener = new Listener(store.kv)
    store.at(T0 + 149)
    await store.kv.enqueue("marker")
    assert.equal((await listener.next()).value, "marker")
    store.at(T0 + 150)
    assert.equal((await listener.next()).value, "m")
  })

  test("queues are apart; the default has a name", async () => {
    const { kv } = store
    for (const queue of ["a", "b", "A", "default", 'ü "\\\n']) await kv.enqueue(`to ${queue}`, { queue })
    await kv.enqueue("to none")
    const [a, none] = [new Listener(kv, undefined, { queue: "a" }), new Listener(kv)]
    assert.equal((await a.next()).value, "to a")
    assert.deepEqual(
      (await none.take(2)).map(({ value }) => value),
      ["to default", "to none"],
    )
    await drained(kv, "a")
    await drained(kv, "default")
    assert.deepEqual(await kv.queueStats("b"), { pending: 1, processing: 0, dlq: 0, total: 1 })
    assert.deepEqual(await kv.queueStats("nobody's"), { pending: 0, processing: 0, dlq: 0, total: 0 })
    await counts(kv, { pending: 3, processing: 0, dlq: 0, total: 3 })
    await new Listener(kv, undefined, { queue: "x".repeat(1024) }).stop()
  })

  test("queueStats counts what waits and what is handled", async () => {
    store.at(T0)
    const { kv } = store
    const gate = new Gate()
    await kv.enqueue("dead", { backoffSchedule: [] })
    const failing = new Listener(kv, () => Promise.reject(new Error("no")))
    await counts(kv, { dlq: 1, total: 1 })
    await failing.stop()
    await kv.enqueue("delayed", { delay: "1h" })
    for (let at = 0; at < 4; at++) await kv.enqueue(at, { orderingKey: at < 2 ? "k" : undefined })
    const listener = new Listener(kv, () => gate.pass(), { concurrency: 2 })
    await listener.take(2)
    await counts(kv, { pending: 3, processing: 2, dlq: 1, total: 6 })
    gate.open()
    await counts(kv, { pending: 1, processing: 0, dlq: 1, total: 2 })
  })

  for (const concurrency of [1, 4]) {
    // Seen to fail: claim without counting the handlers that run.
    test(`concurrency ${concurrency} is reached and never passed`, async () => {
      const gate = new Gate()
      for (let at = 0; at < 40; at++) await store.kv.enqueue(at)
      const listener = new Listener(store.kv, () => gate.pass(), { concurrency })
      await listener.take(concurrency)
      await counts(store.kv, { processing: concurrency })
      assert.equal(listener.running, concurrency)
      gate.open()
      await listener.take(40 - concurrency)
      await drained(store.kv)
      assert.equal(listener.most, concurrency)
      assert.deepEqual(listener.values.slice(0, concurrency), [0, 1, 2, 3].slice(0, concurrency))
    })
  }

  test("1000 handlers at a time", async () => {
    const gate = new Gate()
    const atomic = store.kv.atomic()
    for (let at = 0; at < 1000; at++) atomic.enqueue(at)
    await atomic.commit()
    const listener = new Listener(store.kv, () => gate.pass(), { concurrency: 1000 })
    await listener.take(1000)
    assert.equal(listener.running, 1000)
    gate.open()
    assert.equal((await drained(store.kv)).total, 0)
  })

  test("11,000 handlers at a time, of several listeners", { timeout: 600_000 }, async () => {
    const gate = new Gate()
    for (let round = 0; round < 11; round++) {
      const atomic = store.kv.atomic()
      for (let at = 0; at < 1000; at++) atomic.enqueue(at)
      await atomic.commit()
    }
    let begun = 0
    const handler = () => {
      begun++
      return gate.pass()
    }
    for (let at = 0; at < 11; at++) store.kv.listenQueue(handler, { concurrency: 1000 })
    await eventually(() => begun === 11_000)
    gate.open()
    assert.equal((await drained(store.kv)).total, 0)
    assert.equal(begun, 11_000)
  })

  test("large messages come one after another, and all", async () => {
    const gate = new Gate()
    const listener = new Listener(store.kv, () => gate.pass(), { concurrency: 6 })
    for (let at = 0; at < 6; at++) await store.kv.enqueue(new Uint8Array(6 * 1024 * 1024).fill(at))
    const given = await listener.take(6)
    assert.deepEqual(
      given.map(({ value }) => [value.length, value[0], value.at(-1)]),
      given.map((_, at) => [6 * 1024 * 1024, at, at]),
    )
    gate.open()
    assert.equal((await drained(store.kv)).total, 0)
  })

  test("a slow handler delays no other", async () => {
    const gate = new Gate()
    const work = ({ value }) => value === 0 && gate.pass()
    const listener = new Listener(store.kv, work, { concurrency: 2 })
    for (let at = 0; at < 20; at++) await store.kv.enqueue(at)
    await listener.take(20)
    await counts(store.kv, { pending: 0, processing: 1 })
    gate.open()
    await drained(store.kv)
  })

  test("exactly once with one listener and no crash: 500 messages", { timeout: 600_000 }, async () => {
    const { kv } = store
    const listener = new Listener(kv, () => pause(0), { concurrency: 16 })
    const enqueued = []
    for (let at = 0; at < 250; at++) enqueued.push(kv.enqueue(at))
    await Promise.all(enqueued)
    for (let at = 250; at < 500; at += 50) {
      const atomic = kv.atomic()
      for (let more = at; more < at + 50; more++) atomic.enqueue(more)
      await atomic.commit()
    }
    await listener.inbox.until((all) => all.length >= 500, "500 messages")
    await drained(kv)
    assert.deepEqual(
      listener.values.sort((a, b) => a - b),
      Array.from({ length: 500 }, (_, at) => at),
    )
    assert.ok(listener.inbox.all.every(({ attempts }) => attempts === 1))
    assert.equal(new Set(listener.inbox.all.map(({ id }) => id)).size, 500)
    assert.equal((await kv.queueStats()).total, 0)
  })

  test("several listeners share the work, also of several Kv", async () => {
    const kvs = target.shared ? [store.kv, store.another()] : [store.kv, store.kv]
    const gate = new Gate()
    for (let at = 0; at < 60; at++) await store.kv.enqueue(at)
    const listeners = kvs.map((kv) => new Listener(kv, () => gate.pass(), { concurrency: 2 }))
    for (const listener of listeners) await listener.take(2)
    gate.open()
    await drained(store.kv)
    const values = listeners.flatMap((listener) => listener.values)
    assert.deepEqual(
      values.sort((a, b) => a - b),
      Array.from({ length: 60 }, (_, at) => at),
    )
  })

  test("atomic().enqueue: its result is undefined, and it comes with the commit", async () => {
    const { kv } = store
    const listener = new Listener(kv, async () => {
      assert.equal((await kv.get(["k"])).value, 1)
    })
    const commit = await kv.atomic().enqueue("m").set(["k"], 1).sum(["n"], 2n).enqueue("o").commit()
    assert.deepEqual(commit.results, [undefined, undefined, 2n, undefined])
    assert.deepEqual(
      (await listener.take(2)).map(({ value }) => value),
      ["m", "o"],
    )
    await drained(kv)
    assert.equal(listener.errors.all.length, 0)
  })

  test("placeholders in a message are those of its commit", async () => {
    store.at(T0)
    const { kv } = store
    // Once there was an answer, `kv.now()` is the store's frozen time on every transport.
    await kv.get(["k"])
    const id = kv.uuidv7()
    await kv
      .atomic()
      .set(["k"], id)
      .enqueue({ id, at: kv.now().add("1s") })
      .commit()
    const { value } = await new Listener(kv).next()
    assert.deepEqual(value, { id: (await kv.get(["k"])).value, at: T0 + 1000 })
    await refused(() => kv.enqueue(kv.commitVersionstamp()), "INVALID_ARGUMENT")
  })

  test("a commit that is not applied adds no message", async () => {
    const { kv } = store
    await kv.set(["k"], "text")
    const failed = await kv
      .atomic()
      .check({ key: ["k"], versionstamp: null })
      .enqueue("m")
      .commit()
    assert.equal(failed.ok, false)
    await refused(() => kv.atomic().enqueue("m").sum(["k"], 1n).commit(), "TYPE_MISMATCH")
    assert.equal((await kv.queueStats()).total, 0)
  })

  test("tx.enqueue: with the transaction, or not at all", async () => {
    const { kv } = store
    const done = await kv.transaction(async (tx) => {
      await tx.get(["k"])
      tx.enqueue("m").set(["k"], 1)
    })
    assert.equal(done.ok, true)
    assert.deepEqual(await kv.queueStats(), { pending: 1, processing: 0, dlq: 0, total: 1 })
    const lost = await kv.transaction(async (tx) => {
      await tx.get(["k"])
      tx.enqueue("never")
      await kv.set(["k"], 2)
    })
    assert.deepEqual(lost, { ok: false })
    const boom = new Error("boom")
    const thrown = kv.transaction((tx) => {
      tx.enqueue("never")
      throw boom
    })
    await assert.rejects(thrown, (error) => error === boom)
    let attempt = 0
    const retried = await kv.transaction(
      async (tx) => {
        await tx.get(["k"])
        tx.enqueue("once")
        if (attempt++ === 0) await kv.set(["k"], 3)
      },
      { maxRetries: 1 },
    )
    assert.equal(retried.ok, true)
    const listener = new Listener(kv)
    await listener.take(2)
    await drained(kv)
    assert.deepEqual(listener.values, ["m", "once"])
  })

  test("a transaction, or an atomic, that only adds a message", async () => {
    const { kv } = store
    const { versionstamp } = await kv.set(["k"], 1)
    assert.equal((await kv.transaction((tx) => void tx.enqueue("tx"))).ok, true)
    assert.equal(
      (
        await kv
          .atomic()
          .check({ key: ["k"], versionstamp })
          .enqueue("atomic")
          .commit()
      ).ok,
      true,
    )
    assert.equal((await kv.get(["k"])).versionstamp, versionstamp)
    const listener = new Listener(kv)
    await listener.take(2)
    assert.deepEqual(listener.values, ["tx", "atomic"])
  })

  test("a message is no entry and no change", async () => {
    await store.kv.enqueue(1)
    assert.equal(await store.kv.count({ prefix: [] }), 0)
    assert.equal(await store.kv.changes.head(), 0)
    await store.kv.delete({ prefix: [] })
    assert.equal((await store.kv.queueStats()).total, 1)
  })
}
