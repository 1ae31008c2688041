import assert from "node:assert/strict"
import { test } from "node:test"
import { refused } from "../../support/assert.js"
import { useStore } from "../../support/store.js"
import { Gate, Inbox, within } from "../../support/waiting.js"
import { nextBatch, Reported, said } from "../../support/watching.js"

const DONE = { done: true, value: undefined }

/** How a watch ends, and its form as an iterator. Law 10. */
export function watchLifecycle(target) {
  const store = useStore(target)

  function watching(options) {
    const reported = new Reported()
    return { reported, subscription: store.kv.watch(["k"], reported.callback, options) }
  }

  /** After this whatever a stopped watch could report was reported. */
  async function fence() {
    const reported = new Reported()
    const subscription = store.kv.watch(["k"], reported.callback, { emitInitial: false })
    await store.kv.set(["k", "fence"], 1)
    await reported.next()
    subscription.stop()
  }

  test("stop ends it at once", async () => {
    const { reported, subscription } = watching()
    await reported.next()
    assert.equal(subscription.closed, false)
    const written = store.kv.set(["k"], 1)
    subscription.stop()
    assert.equal(subscription.closed, true)
    await written
    await fence()
    assert.equal(reported.batches.length, 1)
    await within(subscription.finished, "finished")
    subscription.stop()
    assert.equal(subscription.closed, true)
  })

  test("stopped as soon as it began it reports nothing", async () => {
    await store.kv.set(["k"], 1)
    const { reported, subscription } = watching()
    subscription.stop()
    await within(subscription.finished, "finished")
    await fence()
    assert.equal(reported.batches.length, 0)
  })

  test("dispose stops", async () => {
    const { reported, subscription } = watching()
    await reported.next()
    subscription[Symbol.dispose]()
    assert.equal(subscription.closed, true)
    await within(subscription.finished, "finished")
    await fence()
    assert.equal(reported.batches.length, 1)
  })

  test("stop from inside the callback", async () => {
    const reported = new Reported()
    const subscription = store.kv.watch(["k"], (...batch) => {
      subscription.stop()
      reported.callback(...batch)
    })
    await reported.next()
    await within(subscription.finished, "finished")
    await fence()
    assert.equal(reported.batches.length, 1)
  })

  test("stop in the middle of the current state", async () => {
    await store.kv.setMany(Array.from({ length: 1200 }, (_, at) => ({ key: ["k", at], value: at })))
    const reported = new Reported()
    const subscription = store.kv.watch(["k"], (...batch) => {
      reported.callback(...batch)
      subscription.stop()
    })
    await reported.next()
    await within(subscription.finished, "finished")
    await fence()
    assert.equal(reported.batches.length, 1)
  })

  test("finished waits for the callback that runs", async () => {
    const gate = new Gate()
    const begun = new Inbox()
    let ended = false
    const subscription = store.kv.watch(["k"], async () => {
      begun.put(1)
      await gate.pass()
      ended = true
    })
    await begun.next()
    subscription.stop()
    assert.equal(subscription.closed, true)
    let finished = false
    const waiting = subscription.finished.then((value) => {
      finished = true
      return value
    })
    await fence()
    assert.equal(finished, false)
    gate.open()
    assert.equal(await within(waiting, "finished"), undefined)
    assert.equal(ended, true)
  })

  test("finished never rejects", async () => {
    const gate = new Gate()
    const begun = new Inbox()
    const errors = []
    const subscription = store.kv.watch(
      ["k"],
      async () => {
        begun.put(1)
        await gate.pass()
        throw new Error("late")
      },
      { onError: (error) => errors.push(error.message) },
    )
    await begun.next()
    subscription.stop()
    gate.open()
    await within(subscription.finished, "finished")
    assert.ok(errors.length <= 1)
  })

  test("close of the Kv ends it", async () => {
    const { reported, subscription } = watching()
    await reported.next()
    await within(store.kv.close(), "close")
    assert.equal(subscription.closed, true)
    await within(subscription.finished, "finished")
    subscription.stop()
    assert.equal(reported.batches.length, 1)
  })

  test("close ends one that has reported nothing yet", async () => {
    const { subscription } = watching()
    await within(store.kv.close(), "close")
    assert.equal(subscription.closed, true)
    await within(subscription.finished, "finished")
  })

  test("close from inside the callback", async () => {
    const closed = new Inbox()
    const subscription = store.kv.watch(["k"], async () => {
      await store.kv.close()
      closed.put(true)
    })
    await closed.next()
    assert.equal(subscription.closed, true)
    await within(subscription.finished, "finished")
  })

  test("after close it is CLOSED", async () => {
    await store.kv.close()
    await refused(() => store.kv.watch(["k"], () => {}), "CLOSED")
    await refused(() => store.kv.watch(["k"]), "CLOSED")
  })

  test("closing one Kv ends its watches alone", { skip: !target.shared }, async () => {
    const other = store.another()
    const there = new Reported()
    const ended = other.watch(["k"], there.callback)
    const { reported, subscription } = watching()
    await reported.next()
    await there.next()
    await other.close()
    assert.deepEqual([ended.closed, subscription.closed], [true, false])
    await store.kv.set(["k"], 1)
    assert.deepEqual(said((await reported.next()).entries), ["[ 'k' ]=1"])
    assert.equal(there.batches.length, 1)
  })

  test("an iterator gives the same batches", async () => {
    await store.kv.set(["k"], 1)
    const iterator = store.kv.watch(["k"])
    assert.equal(iterator[Symbol.asyncIterator](), iterator)
    const first = await nextBatch(iterator)
    assert.deepEqual([said(first.entries), first.initial, first.dropped], [["[ 'k' ]=1"], true, 0])
    const { versionstamp } = await store.kv.set(["k"], 2)
    const second = await nextBatch(iterator)
    assert.deepEqual(second.entries, [{ key: ["k"], value: 2, versionstamp }])
    assert.deepEqual(
      [second.initial, second.reset, second.dropped, second.versionstamp],
      [false, false, 0, versionstamp],
    )
    iterator.stop()
  })

  test("an iterator that is not read holds no values: the newest state is reported once", async () => {
    const iterator = store.kv.watch(["k"])
    await nextBatch(iterator)
    for (let at = 0; at < 100; at++) await store.kv.set(["k"], at)
    await store.kv.set(["k", "end"], 1)
    const reported = new Reported()
    while (!reported.entries.has("[ 'k', 'end' ]")) reported.apply(await nextBatch(iterator))
    assert.deepEqual(reported.said(), ["[ 'k' ]=99", "[ 'k', 'end' ]=1"])
    assert.ok(reported.batches.length <= 2, "at most one batch was made before it was asked for")
    iterator.stop()
  })

  test("an iterator reports writes after it was made, before the first next", async () => {
    const iterator = store.kv.watch(["k"], { emitInitial: false })
    await store.kv.set(["k"], 1)
    assert.deepEqual(said((await nextBatch(iterator)).entries), ["[ 'k' ]=1"])
    iterator.stop()
  })

  test("leaving the loop stops it", async () => {
    const iterator = store.kv.watch(["k"])
    let count = 0
    for await (const { initial } of iterator) {
      assert.equal(initial, count === 0)
      if (++count === 3) break
      await store.kv.set(["k"], count)
    }
    assert.equal(iterator.closed, true)
    assert.deepEqual(await iterator.next(), DONE)
  })

  test("an error in the loop stops it and is passed on", async () => {
    const iterator = store.kv.watch(["k"])
    await assert.rejects(async () => {
      for await (const _ of iterator) throw new RangeError("mine")
    }, RangeError)
    assert.equal(iterator.closed, true)
  })

  for (const [name, end] of Object.entries({
    stop: (iterator) => iterator.stop(),
    dispose: (iterator) => iterator[Symbol.dispose](),
    return: (iterator) => iterator.return(),
    "close of the Kv": () => store.kv.close(),
  })) {
    test(`${name} ends an iterator that waits`, async () => {
      const iterator = store.kv.watch(["k"])
      await nextBatch(iterator)
      const waiting = iterator.next()
      assert.equal(iterator.closed, false)
      await within(Promise.resolve(end(iterator)), name)
      assert.deepEqual(await within(waiting, "the end"), DONE)
      assert.equal(iterator.closed, true)
      assert.deepEqual(await within(iterator.next(), "the end again"), DONE)
      assert.deepEqual(await within(iterator.return(), "return"), DONE)
    })
  }

  test("stop of an iterator forgets what was not read", async () => {
    await store.kv.setMany(Array.from({ length: 1200 }, (_, at) => ({ key: ["k", at], value: at })))
    const iterator = store.kv.watch(["k"])
    await nextBatch(iterator)
    iterator.stop()
    assert.deepEqual(await within(iterator.next(), "the end"), DONE)
  })

  test("several next at once are answered in order", async () => {
    await store.kv.setMany(Array.from({ length: 1200 }, (_, at) => ({ key: ["k", at], value: at })))
    const iterator = store.kv.watch(["k"])
    const batches = await within(Promise.all([1, 2, 3].map(() => iterator.next())), "three batches")
    const reported = new Reported()
    for (const { done, value } of batches) {
      assert.equal(done, false)
      reported.apply(value)
    }
    while (reported.entries.size < 1200) reported.apply(await nextBatch(iterator))
    const keys = reported.batches.flatMap(({ entries }) => entries.map(({ key }) => key[1]))
    assert.deepEqual(
      keys,
      keys.map((_, at) => at),
    )
    iterator.stop()
  })

  test("made and stopped a thousand times", async () => {
    for (let at = 0; at < 1000; at++) {
      const subscription = store.kv.watch(["k", at], () => {})
      subscription.stop()
      if (at % 100 === 0) await within(subscription.finished, "finished")
    }
    const { reported } = watching()
    await reported.next()
    await store.kv.set(["k"], 1)
    assert.deepEqual(said((await reported.next()).entries), ["[ 'k' ]=1"])
  })
}
