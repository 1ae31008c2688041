// Feeds and loops of consumers that meet errors of the store: they go on after those that may pass, and end with others.
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, test } from "node:test"
import { changesOf } from "../../dist/api/changes/changes.js"
import { Consumer } from "../../dist/api/changes/consumer.js"
import { News } from "../../dist/notices/dispatcher.js"
import { KvError } from "../../dist/shared/errors.js"
import { useTimer } from "../../dist/testing.js"

const busy = () => new KvError("BUSY", "another process holds the file")
const full = () => new KvError("UNAVAILABLE", "the disk is full")
const unknown = () => new KvError("UNAVAILABLE", "the disk fails", { outcome: "unknown" })
const gone = () => new KvError("HISTORY_GONE", "trimmed")

/** A way to Rust whose answers are given, by call: an error is thrown, a number is the page with this change. */
function bridgeOf(answers) {
  const calls = []
  const take = (call) => {
    calls.push(call)
    const answer = answers[call]?.shift()
    if (answer instanceof Error) throw answer
    return answer
  }
  const native = new Proxy({}, { get: (_, call) => (call === "now" ? () => 0 : () => take(call)) })
  const waiters = new Set()
  const bridge = {
    calls,
    waiters,
    closed: false,
    now: (work) => work({ feed: () => ({}), follow: () => 1, now: () => 0, waitFor() {} }),
    attend() {},
    join: (waiter) => waiters.add(waiter),
    leave: (waiter) => waiters.delete(waiter),
    ended() {},
    spend() {},
    turn() {},
    askPage(start) {
      const seq = start(native)
      const rows = seq === undefined ? [] : [{ seq, key: ["k"] }]
      return { rows, tail: [seq ?? 0, rows.length] }
    },
    askJson: (start) => start(native),
    async write(start, read) {
      return read(start(native))
    },
    close() {
      this.closed = true
      for (const waiter of waiters) waiter.end()
    },
  }
  bridge.news = new News(bridge)
  return bridge
}

const ended = { done: true, value: undefined }
const LEASE = [1, 0, []]

describe("feeds and consumers: errors of the store", () => {
  let [waits, run] = [[], true]
  let errors
  const onError = ({ code }) => errors.push(code)

  beforeEach(() => {
    waits = []
    errors = []
    run = true
    useTimer((ms, callback) => {
      waits.push(ms)
      if (run) queueMicrotask(callback)
      return () => {}
    })
  })

  afterEach(() => {
    useTimer(undefined)
  })

  // Seen to fail: `next` rejected with BUSY, and the feed was over.
  test("a live feed goes on after those that may pass, with longer waits", async () => {
    const bridge = bridgeOf({ feedPage: [busy(), 1, ...Array.from({ length: 7 }, full), 2] })
    const feed = changesOf(bridge)({ live: true, onError })
    assert.equal((await feed.next()).value.seq, 1)
    assert.equal((await feed.next()).value.seq, 2)
    assert.deepEqual(waits, [1000, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    assert.equal(errors.length, waits.length)
    assert.deepEqual(await feed.return(), ended)
    assert.equal(bridge.waiters.size, 0)
  })

  test("any other ends it, and each ends one that is not live", async () => {
    for (const [error, live] of [
      [gone(), true],
      [busy(), false],
    ]) {
      const feed = changesOf(bridgeOf({ feedPage: [error] }))({ live, onError })
      await assert.rejects(feed.next(), { code: error.code })
      assert.deepEqual(await feed.next(), ended)
    }
    assert.deepEqual([errors, waits], [[], []])
  })

  test("return and close end one that waits for its next try", async () => {
    run = false
    for (const how of ["return", "close"]) {
      const bridge = bridgeOf({ feedPage: [busy()] })
      const feed = changesOf(bridge)({ live: true, onError: () => setImmediate(end) })
      const end = () => (how === "return" ? feed.return() : bridge.close())
      assert.deepEqual(await feed.next(), ended)
      assert.equal(bridge.waiters.size, 0)
    }
  })

  // Seen to fail: the loop rejected with the first of them.
  test("the loop of a consumer goes on, whichever of its calls fails", async () => {
    const bridge = bridgeOf({
      takeConsumer: [busy(), [null, 5], full(), LEASE],
      consumerStatus: [busy(), [0, 0, null]],
      feedPage: [busy(), 1, 2],
      commitConsumer: [unknown(), full(), undefined],
    })
    const seen = []
    const notice = setInterval(() => bridge.waiters.forEach((waiter) => void waiter.notice()), 1)
    for await (const { seq } of new Consumer(bridge, "c", { onError })) {
      seen.push(seq)
      if (seq === 2) break
    }
    clearInterval(notice)
    assert.deepEqual(seen, [1, 2])
    assert.deepEqual(errors, ["BUSY", "BUSY", "UNAVAILABLE", "BUSY", "UNAVAILABLE", "UNAVAILABLE"])
    assert.deepEqual(waits, [1000, 1000, 1000, 1000, 1000, 2000])
  })

  test("any other ends the loop", async () => {
    const iterator = new Consumer(bridgeOf({ takeConsumer: [gone()] }), "c", { onError })[
      Symbol.asyncIterator
    ]()
    await assert.rejects(iterator.next(), { code: "HISTORY_GONE" })
    assert.deepEqual([await iterator.next(), errors], [ended, []])
  })

  // Seen to fail: what the body had finished was forgotten when its commit was tried; it came again.
  test("closed while it waits to commit, it commits once more what the body has finished", async () => {
    run = false
    const bridge = bridgeOf({ takeConsumer: [LEASE], feedPage: [1], commitConsumer: [full(), undefined] })
    for await (const _ of new Consumer(bridge, "c", { onError: () => setImmediate(() => bridge.close()) }));
    assert.equal(bridge.calls.filter((call) => call === "commitConsumer").length, 2)
    assert.equal(bridge.calls.at(-1), "releaseConsumer")
  })
})
