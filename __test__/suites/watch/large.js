import assert from "node:assert/strict"
import { test } from "node:test"
import { snapshot } from "../../support/assert.js"
import { useStore } from "../../support/store.js"
import { eventually, Gate, within } from "../../support/waiting.js"
import { errorsInto, nextBatch, Reported, said, watchGated } from "../../support/watching.js"

const VALUE = "v".repeat(20_000)
/** A batch ends when it is over this: one of the current state, and one of changes. */
const STATE_BYTES = 96 * 1024
const BATCH_BYTES = 192 * 1024

function weight({ entries }) {
  return entries.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
}

/** Batches are bounded by bytes as well; and a log that is turned off under a watch. */
export function watchLarge(target) {
  const store = useStore(target)

  test("large values come in batches of a bounded size, and none is lost", async () => {
    const { kv } = store
    const write = async (mark) => {
      const atomic = kv.atomic()
      for (let at = 0; at < 60; at++) atomic.set(["k", at], `${mark}${VALUE}`)
      return atomic.commit()
    }
    await write("a")
    const reported = new Reported()
    const gate = new Gate()
    kv.watch(["k"], async (...batch) => {
      reported.callback(...batch)
      if (reported.entries.size === 60) await gate.pass()
    })
    await reported.until((entries) => entries.size === 60)
    const seen = reported.batches.length
    const { versionstamp } = await write("b")
    gate.open()
    await reported.until((entries) =>
      [...entries.values()].every((entry) => entry.versionstamp === versionstamp),
    )
    assert.ok(seen > 5 && reported.batches.length - seen > 5, "more than one batch")
    for (const batch of reported.batches) {
      const bytes = weight(batch)
      const most = batch.initial ? STATE_BYTES : BATCH_BYTES
      assert.ok(bytes <= most + VALUE.length + 1, `a batch of ${bytes} bytes`)
    }
    assert.deepEqual(reported.said(), said(await snapshot(kv)))
  })

  test("resumed in the middle of a commit of large values it loses nothing", async () => {
    const { kv } = store
    const { versionstamp: start } = await kv.set(["other"], 1)
    const atomic = kv.atomic()
    for (let at = 0; at < 30; at++) atomic.set(["k", at], `${at}${VALUE}`)
    await atomic.commit()
    await kv.set(["k", 30], "small")
    for (const read of [1, 2, 3]) {
      const reported = new Reported()
      const iterator = kv.watch({ prefix: ["k"] }, { from: start })
      for (let at = 0; at < read; at++) reported.apply(await nextBatch(iterator))
      iterator.stop()
      const rest = kv.watch({ prefix: ["k"] }, { from: reported.batches.at(-1).versionstamp })
      while (reported.entries.size < 31) reported.apply(await nextBatch(rest))
      rest.stop()
    }
  })

  test("a value of 8 MiB is a batch of its own", async () => {
    const { kv } = store
    const large = new Uint8Array(8 * 1024 * 1024).fill(7)
    await kv.set(["k", 1], large)
    await kv.set(["k", 2], "small")
    const reported = new Reported()
    kv.watch(["k"], reported.callback)
    await reported.until((entries) => entries.size === 2)
    assert.deepEqual(reported.entries.get("[ 'k', 1 ]").value, large)
    const { versionstamp } = await kv.atomic().set(["k", 0], 0).set(["k", 1], large).set(["k", 2], 2).commit()
    for (const at of [0, 1, 2]) await reported.reaches(["k", at], versionstamp)
  })

  test("with bufferSize a batch is not cut", async () => {
    const reported = new Reported()
    store.kv.watch(["k"], reported.callback, { bufferSize: 100, emitInitial: false })
    const atomic = store.kv.atomic()
    for (let at = 0; at < 20; at++) atomic.set(["k", at], VALUE)
    await atomic.commit()
    const { entries, dropped } = await reported.next()
    assert.deepEqual([entries.length, dropped], [20, 0])
  })

  for (const overflowStrategy of ["drop-oldest", "drop-newest"]) {
    test(`a long backlog with bufferSize, ${overflowStrategy}: what is not reported is counted`, async () => {
      const { kv } = store
      const reported = new Reported()
      const gate = new Gate()
      const callback = async (...batch) => {
        reported.callback(...batch)
        await gate.pass()
      }
      kv.watch(["k"], callback, { bufferSize: 50, overflowStrategy })
      await reported.next()
      await kv.setMany(Array.from({ length: 12_000 }, (_, at) => ({ key: ["k", at], value: at })))
      gate.open()
      const changed = () => reported.entries.size + reported.dropped
      await reported.until(() => changed() >= 12_000)
      await kv.set(["k", "end"], 1)
      await reported.until((entries) => entries.has("[ 'k', 'end' ]"))
      assert.equal(changed(), 12_001)
      assert.ok(reported.batches.every(({ entries }) => entries.length <= 50))
    })
  }

  test("a backlog of many changes of few keys is one batch", async () => {
    const { kv } = store
    const { reported, gate } = watchGated(kv, ["k"])
    await reported.next()
    for (let round = 0; round < 20; round++) {
      const atomic = kv.atomic()
      for (let at = 0; at < 300; at++) atomic.set(["k", at], round)
      await atomic.commit()
    }
    gate.open()
    await reported.until((entries) => entries.size === 300)
    await kv.set(["k", "end"], 1)
    await reported.until((entries) => entries.has("[ 'k', 'end' ]"))
    assert.deepEqual(reported.said(), said(await snapshot(kv)))
    const times = reported.batches.flatMap(({ entries }) => entries).length
    assert.equal(times, 301, "each key once, and the last")
  })

  test("1000 absent keys are reported as absent, in batches", async () => {
    const keys = Array.from({ length: 1000 }, (_, at) => ["k", at])
    await store.kv.set(["k", 999], 1)
    const iterator = store.kv.watch(keys, { exact: true })
    const given = []
    while (given.length < 1000) {
      const { entries, initial } = await nextBatch(iterator)
      assert.ok(initial && entries.length > 0 && entries.length <= 500)
      given.push(...entries)
    }
    iterator.stop()
    assert.equal(given.filter(({ versionstamp }) => versionstamp === null).length, 999)
  })

  // Seen to fail: ask for a turn of the event loop where nobody waits for it. 300,000 entries held up timers
  // for 400 ms.
  test("many batches that are there at once let the event loop have its turns", async () => {
    const { kv } = store
    const { versionstamp } = await kv.set(["first"], 0)
    await kv.setMany(Array.from({ length: 10_000 }, (_, at) => ({ key: ["k", at], value: at })))
    const readers = {
      "the current state": () => kv.watch(["k"]),
      "what changed": () => kv.watch(["k"], { from: versionstamp }),
      changes: () => kv.changes({ prefix: ["k"] }),
    }
    for (const [name, read] of Object.entries(readers)) {
      let [turns, count] = [0, 0]
      const step = () => {
        turns++
        next = setImmediate(step)
      }
      let next = setImmediate(step)
      for await (const { entries = [0] } of read()) {
        count += entries.length
        if (count === 10_000) break
      }
      clearImmediate(next)
      assert.ok(turns >= 8, `${name}: ${turns} turns`)
    }
  })

  // It lives in the file, for every opener: silence would be taken for peace.
  test("a watch ends when the change log is turned off", { skip: !target.shared }, async () => {
    const errors = []
    const reported = new Reported()
    const subscription = store.kv.watch(["k"], reported.callback, { onError: errorsInto(errors) })
    const iterator = store.kv.watch(["k"])
    const tail = store.kv.changes({ live: true })
    const loop = store.kv.consumer("c")[Symbol.asyncIterator]()
    await reported.next()
    await nextBatch(iterator)
    const ends = [iterator.next(), tail.next(), loop.next()].map((waiting) =>
      waiting.then(
        ({ done }) => `done ${done}`,
        (error) => error.code,
      ),
    )
    const other = store.another({ changeLog: "off" })
    await other.set(["k"], 1)
    await eventually(() => subscription.closed, "closed")
    await within(subscription.finished, "finished")
    assert.deepEqual(
      errors.map(({ code }) => code),
      ["UNSUPPORTED"],
    )
    assert.deepEqual(await within(Promise.all(ends), "the ends"), [
      "UNSUPPORTED",
      "UNSUPPORTED",
      "UNSUPPORTED",
    ])
  })
}
