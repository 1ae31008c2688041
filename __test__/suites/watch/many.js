import assert from "node:assert/strict"
import { test } from "node:test"
import { useStore } from "../../support/store.js"
import { eventually, Gate, within } from "../../support/waiting.js"
import { errorsInto, Reported, said } from "../../support/watching.js"

/** Many watches, many keys, and other writers. */
export function watchMany(target) {
  const store = useStore(target)

  function watching(what, options, kv = store.kv) {
    const reported = new Reported()
    const errors = []
    const subscription = kv.watch(what, reported.callback, { onError: errorsInto(errors), ...options })
    return { reported, errors, subscription }
  }

  test("two watches report independently", async () => {
    const gate = new Gate()
    const slow = new Reported()
    store.kv.watch(["k"], async (...batch) => {
      slow.callback(...batch)
      await gate.pass()
    })
    const { reported: quick } = watching(["k"])
    await slow.next()
    await quick.next()
    for (let at = 0; at < 10; at++) {
      await store.kv.set(["k"], at)
      assert.deepEqual(said((await quick.next()).entries), [`[ 'k' ]=${at}`], "the slow one holds nobody up")
    }
    gate.open()
    assert.deepEqual(said((await slow.next()).entries), ["[ 'k' ]=9"])
  })

  test("a change of a callback to its entries is seen by no other", async () => {
    const spoil = (entries) => {
      for (const entry of entries) {
        entry.key[0] = "spoilt"
        entry.value.push("spoilt")
      }
    }
    store.kv.watch(["k"], spoil)
    const { reported } = watching(["k"])
    store.kv.watch(["k"], spoil)
    await reported.next()
    await store.kv.set(["k"], [1])
    assert.deepEqual(said((await reported.next()).entries), ["[ 'k' ]=[ 1 ]"])
  })

  test("a callback may stop and begin others", async () => {
    const { reported: begun } = watching(["none"])
    await begun.next()
    const { reported, subscription } = watching(["k"])
    await reported.next()
    let third
    store.kv.watch(
      ["k"],
      () => {
        subscription.stop()
        third ??= watching(["k"]).reported
      },
      { emitInitial: false },
    )
    await store.kv.set(["k"], 1)
    await eventually(() => third !== undefined)
    assert.deepEqual(said((await third.next()).entries), ["[ 'k' ]=1"])
    await store.kv.set(["k"], 2)
    assert.deepEqual(said((await third.next()).entries), ["[ 'k' ]=2"])
    assert.ok(reported.batches.length <= 2)
  })

  test("200 watches", async () => {
    const watches = Array.from({ length: 200 }, (_, at) => watching(["k", at]))
    for (const { reported } of watches) await reported.next()
    await store.kv.setMany(watches.map((_, at) => ({ key: ["k", at, "x"], value: at })))
    for (const [at, { reported }] of watches.entries()) {
      assert.deepEqual(said((await reported.next()).entries), [`[ 'k', ${at}, 'x' ]=${at}`])
    }
    const half = watches.filter((_, at) => at % 2)
    for (const { subscription } of half) subscription.stop()
    await within(Promise.all(half.map(({ subscription }) => subscription.finished)), "finished")
    await store.kv.setMany(watches.map((_, at) => ({ key: ["k", at], value: at })))
    for (const [at, { reported }] of watches.entries()) {
      if (at % 2 === 0) await reported.next()
      assert.equal(reported.batches.length, at % 2 ? 2 : 3)
    }
  })

  test("1000 keys are watched", async () => {
    const keys = Array.from({ length: 1000 }, (_, at) => ["k", at])
    const { reported } = watching(keys, { exact: true, emitInitial: false })
    await store.kv.set(["k", 1000], 1)
    await store.kv.setMany(keys.map((key) => ({ key, value: 1 })))
    await reported.until((entries) => entries.size === 1000)
    assert.equal(reported.entries.has("[ 'k', 1000 ]"), false)
  })

  test("another Kv's writes are reported", { skip: !target.shared }, async () => {
    const other = store.another()
    const { reported } = watching(["k"])
    const { reported: there } = watching({ prefix: [] }, {}, other)
    await reported.next()
    await there.next()
    for (let at = 0; at < 20; at++) {
      await (at % 2 ? store.kv : other).set(["k"], at)
      assert.deepEqual(said((await reported.next()).entries), [`[ 'k' ]=${at}`])
      assert.deepEqual(said((await there.next()).entries), [`[ 'k' ]=${at}`])
    }
    await other.close()
    await store.kv.set(["k"], "end")
    assert.deepEqual(said((await reported.next()).entries), ["[ 'k' ]='end'"])
  })
}
