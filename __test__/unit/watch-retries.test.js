// A watch that meets errors of the store: both forms go on after those that may pass, and end with others.
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, test } from "node:test"
import { beginWatch, WatchIterator, watchWith } from "../../dist/modules/api/changes/watch.js"
import { KvError } from "../../dist/modules/shared/errors.js"
import { fakeTimers } from "../support/timers.js"

const busy = () => new KvError("BUSY", "another process holds the file")

/** A transport whose steps are given: an error is thrown, anything else is the value of a batch. */
function transportOf(steps) {
  const reader = {
    async next() {
      const step = steps.shift()
      if (step instanceof Error) throw step
      if (step === undefined) return new Promise(() => {})
      return { entries: [{ key: ["k"], value: step, versionstamp: "s" }], versionstamp: "s" }
    },
    stop() {},
  }
  return { open: () => reader, attach() {}, detach() {} }
}

describe("watch: errors of the store", () => {
  let timers

  beforeEach(() => {
    timers = fakeTimers()
  })

  afterEach(() => {
    timers.restore()
  })

  // Seen to fail: the iterator rejected with BUSY, and was closed.
  test("an iterator goes on after one that may pass", async () => {
    const errors = []
    const transport = transportOf([busy(), 1, busy(), busy(), 2])
    const options = { onError: ({ code }) => errors.push(code) }
    const iterator = new WatchIterator(beginWatch(transport, ["k"], options))
    for (const value of [1, 2]) assert.equal((await iterator.next()).value.entries[0].value, value)
    assert.deepEqual(
      [errors, timers.waits, iterator.closed],
      [["BUSY", "BUSY", "BUSY"], [1000, 1000, 1000], false],
    )
    iterator.stop()
  })

  test("so does a callback", async () => {
    const [errors, values] = [[], []]
    await new Promise((resolve) => {
      const options = { onError: ({ code }) => errors.push(code) }
      const callback = ([{ value }]) => {
        values.push(value)
        if (value === 2) resolve()
      }
      watchWith(transportOf([busy(), 1, busy(), 2]), ["k"], callback, options)
    })
    assert.deepEqual(
      [errors, timers.waits, values],
      [
        ["BUSY", "BUSY"],
        [1000, 1000],
        [1, 2],
      ],
    )
  })

  test("any other error ends both", async () => {
    const final = () => new KvError("UNSUPPORTED", "the change log of this store is off")
    const iterator = new WatchIterator(beginWatch(transportOf([busy(), final()]), ["k"], { onError() {} }))
    await assert.rejects(iterator.next(), { code: "UNSUPPORTED" })
    assert.deepEqual([iterator.closed, await iterator.next()], [true, { done: true, value: undefined }])
    const errors = []
    const watch = watchWith(transportOf([final()]), ["k"], () => {}, {
      onError: ({ code }) => errors.push(code),
    })
    await watch.finished
    assert.deepEqual([errors, watch.closed], [["UNSUPPORTED"], true])
  })

  test("stop ends one that waits for its next try", async () => {
    timers.run = false
    const iterator = new WatchIterator(
      beginWatch(transportOf([busy()]), ["k"], { onError: () => setImmediate(stop) }),
    )
    const stop = () => iterator.stop()
    assert.deepEqual(await iterator.next(), { done: true, value: undefined })
    assert.deepEqual(timers.waits, [1000])
  })
})
