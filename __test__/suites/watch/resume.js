import assert from "node:assert/strict"
import { test } from "node:test"
import { refused, snapshot } from "../../support/assert.js"
import { useStore } from "../../support/store.js"
import { Gate, within } from "../../support/waiting.js"
import { nameOf, nextBatch, Reported, said, watchGated, watchInto } from "../../support/watching.js"

/** Resume tokens, a log that no longer reaches back, and bounded batches. */
export function watchResume(target) {
  const store = useStore(target)

  const watching = (what, options) => watchInto(store.kv, what, options)

  /** One batch of a watch that ends with it. */
  async function oneBatch(what, options) {
    const iterator = store.kv.watch(what, options)
    try {
      return await nextBatch(iterator)
    } finally {
      iterator.stop()
    }
  }

  test("from resumes after that commit", async () => {
    const { kv } = store
    await kv.set(["k", 1], 1)
    await kv.set(["k", 2], 1)
    const { versionstamp } = await oneBatch(["k"])
    await kv.set(["k", 1], "changed")
    await kv.set(["k", 3], "new")
    await kv.delete(["k", 2])
    await kv.set(["k", 3], "newest")
    const batch = await oneBatch(["k"], { from: versionstamp })
    assert.deepEqual(said(batch.entries), ["[ 'k', 1 ]='changed'", "[ 'k', 2 ]=gone", "[ 'k', 3 ]='newest'"])
    assert.deepEqual([batch.initial, batch.reset, batch.dropped], [false, false, 0])
  })

  test("the token of a batch without entries is one too", async () => {
    const { versionstamp } = await oneBatch(["k"])
    await store.kv.set(["k"], 1)
    const batch = await oneBatch(["k"], { from: versionstamp })
    assert.deepEqual([said(batch.entries), batch.initial, batch.reset], [["[ 'k' ]=1"], false, false])
  })

  test("the versionstamp of a commit is one too, and commits of its millisecond are reported", async () => {
    const stamps = []
    for (let at = 0; at < 5; at++) stamps.push((await store.kv.set(["k", at], at)).versionstamp)
    for (let at = 0; at < 4; at++) {
      const { reported, subscription } = watching(["k"], { from: stamps[at] })
      await reported.reaches(["k", 4], stamps[4])
      assert.equal(reported.entries.size, 4 - at)
      subscription.stop()
    }
  })

  test("from the newest commit it reports later commits", async () => {
    const { versionstamp } = await store.kv.set(["k"], 1)
    const { reported } = watching(["k"], { from: versionstamp })
    await store.kv.set(["k", "end"], 1)
    const batch = await reported.next()
    assert.deepEqual([said(batch.entries), batch.reset], [["[ 'k', 'end' ]=1"], false])
  })

  test("a chain of watches, each from the token of the one before, misses nothing", async () => {
    let batch = await oneBatch({ prefix: [] })
    const reported = new Reported()
    for (let at = 0; at < 600; at++) await store.kv.set(["k", at % 590], at)
    while (reported.entries.size < 590) {
      batch = await oneBatch({ prefix: [] }, { from: batch.versionstamp })
      assert.ok(batch.entries.length > 0 && batch.entries.length <= 500)
      reported.apply(batch)
    }
    assert.deepEqual(reported.said(), said(await snapshot(store.kv)))
  })

  // Seen to fail: give a batch that ends within a commit the versionstamp of that commit.
  test("resumed in the middle of a large commit it loses nothing", async () => {
    const { kv } = store
    const { versionstamp: start } = await kv.set(["other"], 1)
    await kv.setMany(Array.from({ length: 1000 }, (_, at) => ({ key: ["k", at], value: at })))
    for (const read of [1, 2]) {
      const reported = new Reported()
      const iterator = kv.watch({ prefix: ["k"] }, { from: start })
      for (let at = 0; at < read; at++) reported.apply(await nextBatch(iterator))
      iterator.stop()
      const { versionstamp } = reported.batches.at(-1)
      const again = kv.watch({ prefix: ["k"] }, { from: versionstamp })
      await kv.set(["k", "end"], read)
      while (reported.entries.get("[ 'k', 'end' ]")?.value !== read) reported.apply(await nextBatch(again))
      again.stop()
      assert.equal(reported.entries.size, 1001)
      assert.deepEqual(
        reported.said(),
        said(await snapshot(kv)).filter((text) => text.includes("'k'")),
      )
    }
  })

  test("resumed in the middle of a large delete it loses nothing", async () => {
    const { kv } = store
    await kv.setMany(Array.from({ length: 1200 }, (_, at) => ({ key: ["k", at], value: at })))
    const { reported, subscription } = watching({ prefix: ["k"] })
    await reported.until((entries) => entries.size === 1200)
    subscription.stop()
    const from = reported.batches.at(-1).versionstamp
    await kv.delete(["k"])
    const first = await oneBatch({ prefix: ["k"] }, { from })
    reported.apply(first)
    assert.equal(reported.entries.size, 1200 - first.entries.length)
    const rest = kv.watch({ prefix: ["k"] }, { from: first.versionstamp })
    while (reported.entries.size > 0) reported.apply(await nextBatch(rest))
    rest.stop()
  })

  // Seen to fail: give every part of the state the newest versionstamp.
  test("resumed in the middle of the current state it loses nothing", async () => {
    const { kv } = store
    await kv.setMany(Array.from({ length: 1200 }, (_, at) => ({ key: ["k", at], value: at })))
    for (const trimmed of [false, true]) {
      const reported = new Reported()
      reported.apply(await oneBatch(["k"]))
      await kv.set(["k", 0], "later")
      await kv.delete(["k", 1])
      if (trimmed) await kv.changes.trim(-1)
      const { versionstamp: from } = reported.batches[0]
      kv.watch(["k"], reported.callback, { from })
      const { versionstamp } = await kv.set(["k", 1], "again")
      await reported.reaches(["k", 1], versionstamp)
      await reported.until((entries) => entries.size === 1200)
      assert.deepEqual(reported.said(), said(await snapshot(kv)))
    }
  })

  // What was written under "off" is in no log.
  test("resumed over a time without a change log it loses nothing", {
    skip: !target.persistent,
  }, async () => {
    await store.kv.set(["k", 1], 1)
    const reported = new Reported()
    reported.apply(await oneBatch(["k"]))
    await store.reopen({ changeLog: "off" })
    await store.kv.set(["k", 2], 2)
    await store.kv.delete(["k", 1])
    await store.reopen({ changeLog: "keys" })
    store.kv.watch(["k"], reported.callback, { from: reported.batches[0].versionstamp })
    const { versionstamp } = await store.kv.set(["k", 3], 3)
    await reported.reaches(["k", 3], versionstamp)
    assert.deepEqual(reported.said(), ["[ 'k', 2 ]=2", "[ 'k', 3 ]=3"])
  })

  test("from survives a new opening", { skip: !target.persistent }, async () => {
    await store.kv.set(["k", 1], 1)
    const { versionstamp } = await oneBatch(["k"])
    await store.kv.set(["k", 2], 2)
    await store.reopen()
    await store.kv.delete(["k", 1])
    const batch = await oneBatch(["k"], { from: versionstamp })
    assert.deepEqual([said(batch.entries), batch.reset], [["[ 'k', 1 ]=gone", "[ 'k', 2 ]=2"], false])
  })

  test("if the log no longer reaches back it reports a reset, and the current state follows", async () => {
    const { kv } = store
    await kv.setMany(Array.from({ length: 1200 }, (_, at) => ({ key: ["k", at], value: at })))
    const { reported, subscription } = watching(["k"])
    await reported.until((entries) => entries.size === 1200)
    subscription.stop()
    const seen = reported.batches.length
    await kv.delete(["k", 7])
    await kv.set(["k", 8], "changed")
    await kv.changes.trim(-1)
    kv.watch(["k"], reported.callback, { from: reported.batches.at(-1).versionstamp })
    await reported.until((entries) => entries.size === 1199 && entries.get("[ 'k', 8 ]").value === "changed")
    const [first, ...rest] = reported.batches.slice(seen)
    assert.deepEqual([first.initial, first.reset], [true, true])
    assert.ok(rest.length >= 2)
    assert.ok(rest.every(({ initial, reset, entries }) => initial && !reset && entries.length <= 500))
    assert.deepEqual(reported.said(), said(await snapshot(kv)))
    await kv.set(["k", "end"], 1)
    const { initial, reset, entries } = await reported.next()
    assert.deepEqual([initial, reset, said(entries)], [false, false, ["[ 'k', 'end' ]=1"]])
  })

  test("a reset of nothing is one batch", async () => {
    await store.kv.set(["k"], 1)
    const { versionstamp } = await oneBatch(["k"])
    await store.kv.delete(["k"])
    await store.kv.changes.trim(-1)
    const batch = await oneBatch(["k"], { from: versionstamp })
    assert.deepEqual([batch.reset, batch.initial, batch.entries], [true, true, []])
  })

  // Seen to fail: read on after a trim as if nothing was missing.
  test("a slow watch that the trim has overtaken is reset", async () => {
    const { kv } = store
    await kv.set(["k", "old"], 1)
    const { reported, gate } = watchGated(kv, ["k"])
    await reported.next()
    await kv.delete(["k", "old"])
    await kv.set(["k", "new"], 1)
    await kv.changes.trim(-1)
    await kv.set(["k", "newest"], 1)
    gate.open()
    const { reset, initial } = await reported.next()
    assert.deepEqual([reset, initial], [true, true])
    await reported.until((entries) => entries.size === 2)
    assert.deepEqual(reported.said(), ["[ 'k', 'new' ]=1", "[ 'k', 'newest' ]=1"])
  })

  test("a trim of what was reported resets nobody", async () => {
    const { reported } = watching(["k"])
    await reported.next()
    for (let at = 0; at < 5; at++) {
      await store.kv.set(["k"], at)
      assert.equal((await reported.next()).reset, false)
      await store.kv.changes.trim(-1)
    }
    await store.kv.set(["k"], "end")
    const { reset, entries } = await reported.next()
    assert.deepEqual([reset, said(entries)], [false, ["[ 'k' ]='end'"]])
  })

  /** A watch whose callback was held while `write` wrote; gives the batch after it. */
  async function overflow(options, write) {
    const reported = new Reported()
    const gate = new Gate()
    const subscription = store.kv.watch(
      { prefix: ["k"] },
      async (...batch) => {
        reported.callback(...batch)
        await gate.pass()
      },
      options,
    )
    await reported.next()
    await write(store.kv)
    gate.open()
    const batch = await reported.next()
    await store.kv.set(["k", "end"], 1)
    const last = await reported.next()
    assert.deepEqual([said(last.entries), last.dropped], [["[ 'k', 'end' ]=1"], 0])
    subscription.stop()
    return [batch.entries.map(({ key }) => key[1]).sort(), batch.dropped]
  }

  async function tenKeys(kv) {
    for (let at = 0; at < 10; at++) await kv.set(["k", at], at)
    await kv.set(["other"], 1)
    await kv.set(["k", 0], "again")
  }

  for (const [options, kept, dropped] of [
    [{ bufferSize: 4 }, [0, 7, 8, 9], 6],
    [{ bufferSize: 4, overflowStrategy: "drop-oldest" }, [0, 7, 8, 9], 6],
    [{ bufferSize: 4, overflowStrategy: "drop-newest" }, [1, 2, 3, 4], 6],
    [{ bufferSize: 1 }, [0], 9],
    [{ bufferSize: 1, overflowStrategy: "drop-newest" }, [1], 9],
    [{ bufferSize: 10 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 0],
    [{ bufferSize: null }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 0],
  ]) {
    test(`${JSON.stringify(options)} of ten changed keys`, async () => {
      assert.deepEqual(await overflow(options, tenKeys), [kept, dropped])
    })
  }

  test("bufferSize beyond 500 is one batch", async () => {
    const entries = Array.from({ length: 900 }, (_, at) => ({ key: ["k", at], value: at }))
    for (const [bufferSize, dropped] of [
      [900, 0],
      [10_000, 0],
      [600, 300],
    ]) {
      const [kept, left] = await overflow({ bufferSize }, (kv) => kv.setMany(entries))
      assert.deepEqual([kept.length, left], [900 - dropped, dropped])
      await store.kv.delete({ prefix: [] })
    }
  })

  test("the current state is reported whole, whatever bufferSize is", async () => {
    await store.kv.setMany(Array.from({ length: 20 }, (_, at) => ({ key: ["k", at], value: at })))
    const { reported } = watching(["k"], { bufferSize: 3 })
    await reported.until((entries) => entries.size === 20)
    assert.equal(reported.dropped, 0)
    assert.ok(reported.batches.every(({ initial }) => initial))
  })

  // Seen to fail: swap the two strategies; or do not start `dropped` again.
  test("a dropped key is reported when it changes again", async () => {
    const [kept] = await overflow({ bufferSize: 2 }, tenKeys)
    assert.deepEqual(kept, [0, 9])
    const { reported } = watching(["k"], { bufferSize: 2, emitInitial: false })
    await store.kv.set(["k", 3], "again")
    assert.deepEqual(said((await reported.next()).entries), [`${nameOf(["k", 3])}='again'`])
  })

  test("with a changeLog that is off there is no watch", async () => {
    const kv = store.another({ changeLog: "off" })
    await refused(() => kv.watch(["k"], () => {}), "UNSUPPORTED", /changeLog/)
    await refused(() => within(Promise.resolve(kv.watch(["k"]))), "UNSUPPORTED", /changeLog/)
  })
}
