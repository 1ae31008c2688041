import assert from "node:assert/strict"
import { test } from "node:test"
import { Kv } from "@buntime/keyval"
import { collect, refused, snapshot, valuesOf } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

const CALLS = {
  get: (kv) => kv.get(["a"]),
  getMany: (kv) => kv.getMany([["a"]]),
  "getMany of nothing": (kv) => kv.getMany([]),
  list: (kv) => kv.list(["a"]),
  paginate: (kv) => kv.paginate(["a"]),
  count: (kv) => kv.count(["a"]),
  set: (kv) => kv.set(["a"], 1),
  setMany: (kv) => kv.setMany([{ key: ["a"], value: 1 }]),
  delete: (kv) => kv.delete(["a"]),
  touch: (kv) => kv.touch(["a"], { expiresIn: 1 }),
  atomic: (kv) => kv.atomic().set(["a"], 1).commit(),
  "an empty atomic": (kv) => kv.atomic().commit(),
  backup: (kv) => kv.backup("never-made.db"),
  transaction: (kv) => kv.transaction((tx) => tx.get(["a"])),
  "a transaction that writes": (kv) => kv.transaction((tx) => void tx.set(["a"], 1)),
}

/** Law 10. Seen to fail: resolve `close` before the writer has drained its queue. */
export function lifecycle(target) {
  const store = useStore(target)

  test("close is idempotent, and closed says it at once", async () => {
    const { kv } = store
    assert.equal(kv.closed, false)
    const first = kv.close()
    assert.equal(kv.closed, true)
    const second = kv.close()
    await Promise.all([first, second, kv.close()])
    await kv.close()
    assert.equal(kv.closed, true)
  })

  for (const [name, call] of Object.entries(CALLS)) {
    test(`after close it is CLOSED: ${name}`, async () => {
      const closing = store.kv.close()
      await refused(() => call(store.kv), "CLOSED")
      await closing
      await refused(() => call(store.kv), "CLOSED")
    })
  }

  // Seen to fail: it said "this Kv is closed" alone.
  test("a handler and a transaction that close came before learn what to await", async () => {
    const { kv } = store
    const said = [/close\(\) was called/, /listener\.stop\(/]
    const errors = []
    const inHandler = new Promise((resolve) => {
      kv.listenQueue(async () => {
        void kv.close()
        errors.push(await refused(() => kv.get(["a"]), "CLOSED", ...said))
        errors.push(await refused(() => kv.set(["a"], 1), "CLOSED", ...said))
        resolve()
      })
    })
    await kv.enqueue(1)
    await inHandler
    assert.equal(errors.length, 2)
    const other = new Kv(":memory:")
    const late = other.transaction(async (tx) => {
      void other.close()
      await tx.get(["a"])
    })
    await refused(() => late, "CLOSED", ...said)
  })

  test("an atomic and a transaction that were begun before close are CLOSED after it", async () => {
    const atomic = store.kv.atomic().set(["a"], 1)
    let enter
    const entered = new Promise((resolve) => {
      enter = resolve
    })
    const gate = { open() {} }
    const opened = new Promise((resolve) => {
      gate.open = resolve
    })
    const transaction = store.kv.transaction(async (tx) => {
      enter()
      await opened
      tx.set(["a"], 1)
    })
    const outcome = refused(() => transaction, "CLOSED")
    await entered
    await store.kv.close()
    gate.open()
    await outcome
    await refused(() => atomic.commit(), "CLOSED")
  })

  test("writes and reads that were issued before close are answered", async () => {
    const { kv } = store
    const writes = Array.from({ length: 200 }, (_, at) => kv.set(["n", at], at))
    const commits = Array.from({ length: 50 }, () => kv.atomic().sum(["sum"], 1n).commit())
    const closing = kv.close()
    const given = await Promise.all([...writes, ...commits])
    await closing
    assert.equal(
      given.every(({ ok }) => ok),
      true,
    )
  })

  test("a read that was issued before close is answered or CLOSED, and never hangs", async () => {
    await store.kv.setMany(
      Array.from({ length: 2000 }, (_, at) => ({ key: ["n", at], value: "v".repeat(500) })),
    )
    const keys = Array.from({ length: 1000 }, (_, at) => ["n", at])
    const reads = [
      store.kv.get(["n", 1]),
      store.kv.count(["n"]),
      store.kv.getMany(keys),
      collect(store.kv.list(["n"])),
    ]
    const settled = Promise.allSettled(reads)
    await store.kv.close()
    for (const { status, reason } of await settled) {
      if (status === "rejected") assert.equal(reason.code, "CLOSED")
    }
  })

  test("writes pending at close are there afterwards", { skip: !target.persistent }, async () => {
    for (let at = 0; at < 100; at++) void store.kv.set(["n", at], at)
    void store.kv.atomic().sum(["sum"], 7n).commit()
    await store.reopen()
    assert.equal(await store.kv.count(["n"]), 100)
    assert.equal((await store.kv.get(["sum"])).value, 7n)
  })

  test("a load that is running at close ends: done, or CLOSED after whole commits", async () => {
    const load = store.kv.setMany(Array.from({ length: 3000 }, (_, at) => ({ key: ["n", at], value: at })))
    const outcome = load.then(
      ({ count }) => assert.equal(count, 3000),
      (error) => assert.equal(error.code, "CLOSED"),
    )
    await store.kv.close()
    await outcome
  })

  test("entries are there after a new opening, unchanged", { skip: !target.persistent }, async () => {
    store.at(T0)
    await store.kv.set(["a", 1], new Map([["k", 1n]]), { expiresIn: "1h" })
    await store.kv.set(["a", Uint8Array.of(0)], Uint8Array.of(1, 2))
    const before = await snapshot(store.kv)
    for (let at = 0; at < 3; at++) {
      await store.reopen()
      assert.deepEqual(await snapshot(store.kv), before)
    }
    assert.ok((await store.kv.set(["b"], 1)).versionstamp > before[0].versionstamp)
  })

  test("a store in memory is gone on close, and is nobody else's", { skip: target.persistent }, async () => {
    await store.kv.set(["a"], 1)
    const other = store.another()
    assert.deepEqual(await snapshot(other), [])
    await other.set(["b"], 2)
    await store.kv.close()
    assert.deepEqual(await valuesOf(other, { prefix: [] }), [2])
  })

  // Seen to fail: all of them ended as if they were complete.
  test("reads that close cuts reject, wherever they are; live ones end", async () => {
    await store.kv.setMany(Array.from({ length: 100 }, (_, at) => ({ key: ["n", at], value: at })))
    const [fresh, begun] = [store.kv.list(["n"]), store.kv.list(["n"], { batchSize: 2 })]
    await begun.next()
    const [whole, left] = [store.kv.list(["n"], { limit: 1 }), store.kv.list(["n"])]
    for (let at = 0; at < 2; at++) await whole.next()
    await left.next()
    await left.return()
    const changes = store.kv.changes()
    await changes.next()
    const [live, watch] = [store.kv.changes({ live: true }), store.kv.watch({ prefix: [] })]
    await live.next()
    let count = 0
    const loop = async () => {
      for await (const _ of store.kv.list(["n"], { batchSize: 2 })) if (++count === 3) await store.kv.close()
    }
    await assert.rejects(loop(), { code: "CLOSED" })
    assert.equal(count, 3)
    for (const iterator of [begun, fresh, changes]) await assert.rejects(iterator.next(), { code: "CLOSED" })
    // What was said to be over, and what nobody waits for, is over.
    for (const iterator of [whole, left, live, watch])
      assert.deepEqual(await iterator.next(), { done: true, value: undefined })
  })

  test("a list that waits for the event loop when it is closed rejects", async () => {
    await store.kv.setMany(Array.from({ length: 600 }, (_, at) => ({ key: ["n", at], value: at })))
    // So many reads use up the turn that they have before timers and sockets get theirs.
    await Promise.all(Array.from({ length: 600 }, (_, at) => store.kv.get(["n", at])))
    const waiting = store.kv.list(["n"]).next()
    const closing = store.kv.close()
    await assert.rejects(waiting, { code: "CLOSED" })
    await closing
  })

  test("using: dispose closes, asyncDispose waits for it", async () => {
    const kv = store.another()
    const write = kv.set(["a"], 1)
    kv[Symbol.dispose]()
    assert.equal(kv.closed, true)
    assert.equal((await write).ok, true)
    const other = store.another()
    const pending = other.set(["b"], 1)
    await other[Symbol.asyncDispose]()
    assert.equal((await pending).ok, true)
    await refused(() => other.get(["a"]), "CLOSED")
    await kv.close()
    await other[Symbol.asyncDispose]()
  })

  test("opened and closed many times", async () => {
    for (let at = 0; at < 30; at++) {
      const kv = store.another()
      await kv.set(["n"], at)
      await kv.close()
    }
    assert.equal((await store.kv.get(["n"])).value, target.shared ? 29 : null)
  })

  test("several Kv on one store see each other's writes at once", { skip: !target.shared }, async () => {
    const [a, b] = [store.kv, store.another()]
    for (let at = 0; at < 50; at++) {
      const [writer, reader] = at % 2 ? [a, b] : [b, a]
      const { versionstamp } = await writer.set(["k"], at)
      assert.deepEqual(await reader.get(["k"]), { key: ["k"], value: at, versionstamp })
    }
    await Promise.all(
      [a, b].flatMap((kv) => Array.from({ length: 100 }, () => kv.atomic().sum(["n"], 1n).commit())),
    )
    assert.equal((await a.get(["n"])).value, 200n)
  })

  test("closing one of several Kv leaves the others open", { skip: !target.shared }, async () => {
    const other = store.another()
    const pending = other.set(["a"], 1)
    await store.kv.close()
    assert.equal((await pending).ok, true)
    assert.equal(other.closed, false)
    await other.set(["b"], 2)
    assert.deepEqual(await valuesOf(other, { prefix: [] }), [1, 2])
  })

  test("several Kv with different durability and settings", { skip: !target.shared }, async () => {
    const kvs = ["full", "normal", "off"].map((durability) =>
      store.another({ durability, busyTimeout: "1s" }),
    )
    const writes = kvs.flatMap((kv, at) => Array.from({ length: 20 }, (_, n) => kv.set(["n", at, n], n)))
    await Promise.all(writes)
    for (const kv of kvs) assert.equal(await kv.count(["n"]), 60)
  })

  test("a Kv is made by new", () => {
    assert.throws(() => Kv(":memory:"), TypeError)
  })
}
