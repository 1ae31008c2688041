// Feeds and loops of consumers that meet errors of the store: they go on after those that may pass, and end
// with others.
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, test } from "node:test"
import { changesOf } from "../../dist/modules/api/changes/changes.js"
import { Consumer } from "../../dist/modules/api/changes/consumer.js"
import { KvError } from "../../dist/modules/shared/errors.js"
import { fakeTimers } from "../support/timers.js"

const busy = () => new KvError("BUSY", "another process holds the file")
const full = () => new KvError("UNAVAILABLE", "the disk is full")
const unknown = () => new KvError("UNAVAILABLE", "the disk fails", { outcome: "unknown" })
const gone = () => new KvError("HISTORY_GONE", "trimmed")

/**
 * A transport whose answers are given, by kind: an error is thrown, a number is the page with this change.
 */
function transportOf(answers) {
  const calls = []
  const running = new Set()
  const waiters = new Set()
  const take = async ({ kind }) => {
    calls.push(kind)
    const answer = answers[kind]?.shift()
    if (answer instanceof Error) throw answer
    return answer
  }
  const subscription = (waiter) => {
    waiters.add(waiter)
    return { wakeAt() {}, unsubscribe: () => waiters.delete(waiter) }
  }
  const reader = () => ({
    position: 0,
    isSubscribed: false,
    async page() {
      const seq = await take({ kind: "page" })
      this.position = seq ?? 0
      return { changes: seq === undefined ? [] : [{ seq, key: ["k"] }], more: false }
    },
    subscribe: subscription,
    unsubscribe() {},
  })
  return {
    calls,
    running,
    waiters,
    closed: false,
    core: { checkConsumer() {}, leaseMs: () => 30_000 },
    now: () => 0,
    open: reader,
    query: take,
    write: take,
    subscribe: (_, waiter) => subscription(waiter),
    attach: (one) => running.add(one),
    detach: (one) => running.delete(one),
    close() {
      this.closed = true
      for (const one of running) one.end()
    },
  }
}

const ended = { done: true, value: undefined }
const LEASE = { lease: 1, position: 0, prefix: [] }

describe("feeds and consumers: errors of the store", () => {
  let timers
  let errors
  const onError = ({ code }) => errors.push(code)

  beforeEach(() => {
    timers = fakeTimers()
    errors = []
  })

  afterEach(() => {
    timers.restore()
  })

  // Seen to fail: `next` rejected with BUSY, and the feed was over.
  test("a live feed goes on after those that may pass, with longer waits", async () => {
    const transport = transportOf({ page: [busy(), 1, ...Array.from({ length: 7 }, full), 2] })
    const feed = changesOf(transport)({ live: true, onError })
    assert.equal((await feed.next()).value.seq, 1)
    assert.equal((await feed.next()).value.seq, 2)
    assert.deepEqual(timers.waits, [1000, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    assert.equal(errors.length, timers.waits.length)
    assert.deepEqual(await feed.return(), ended)
    assert.equal(transport.running.size, 0)
  })

  test("any other ends it, and each ends one that is not live", async () => {
    for (const [error, live] of [
      [gone(), true],
      [busy(), false],
    ]) {
      const feed = changesOf(transportOf({ page: [error] }))({ live, onError })
      await assert.rejects(feed.next(), { code: error.code })
      assert.deepEqual(await feed.next(), ended)
    }
    assert.deepEqual([errors, timers.waits], [[], []])
  })

  test("return and close end one that waits for its next try", async () => {
    timers.run = false
    for (const how of ["return", "close"]) {
      const transport = transportOf({ page: [busy()] })
      const feed = changesOf(transport)({ live: true, onError: () => setImmediate(end) })
      const end = () => (how === "return" ? feed.return() : transport.close())
      assert.deepEqual(await feed.next(), ended)
      assert.equal(transport.running.size, 0)
    }
  })

  // Seen to fail: the loop rejected with the first of them.
  test("the loop of a consumer goes on, whichever of its calls fails", async () => {
    const transport = transportOf({
      takeConsumer: [busy(), { lease: null, heldUntilMs: 5 }, full(), LEASE],
      consumerStatus: [busy(), { position: 0, head: 0, leaseExpiresAt: null }],
      page: [busy(), 1, 2],
      commitConsumer: [unknown(), full(), undefined],
    })
    const seen = []
    const notice = setInterval(() => transport.waiters.forEach((waiter) => void waiter.notice()), 1)
    for await (const { seq } of new Consumer(transport, "c", { onError })) {
      seen.push(seq)
      if (seq === 2) break
    }
    clearInterval(notice)
    assert.deepEqual(seen, [1, 2])
    assert.deepEqual(errors, ["BUSY", "BUSY", "UNAVAILABLE", "BUSY", "UNAVAILABLE", "UNAVAILABLE"])
    assert.deepEqual(timers.waits, [1000, 1000, 1000, 1000, 1000, 2000])
  })

  test("any other ends the loop", async () => {
    const iterator = new Consumer(transportOf({ takeConsumer: [gone()] }), "c", { onError })[
      Symbol.asyncIterator
    ]()
    await assert.rejects(iterator.next(), { code: "HISTORY_GONE" })
    assert.deepEqual([await iterator.next(), errors], [ended, []])
  })

  // Seen to fail: what the body had finished was forgotten when its commit was tried; it came again.
  test("closed while it waits to commit, it commits once more what the body has finished", async () => {
    timers.run = false
    const transport = transportOf({ takeConsumer: [LEASE], page: [1], commitConsumer: [full(), undefined] })
    for await (const _ of new Consumer(transport, "c", {
      onError: () => setImmediate(() => transport.close()),
    }));
    assert.equal(transport.calls.filter((call) => call === "commitConsumer").length, 2)
    assert.equal(transport.calls.at(-1), "releaseConsumer")
  })
})
