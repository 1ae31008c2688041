import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { refused } from "../../support/assert.js"
import { useStore } from "../../support/store.js"
import { eventually, Gate } from "../../support/waiting.js"

const nothing = () => {}
const reason = new RangeError("enough")

/** A controller whose signal counts who listens. */
function counted() {
  const controller = new AbortController()
  const { signal } = controller
  const listeners = new Set()
  const note = (name, how) => {
    const own = signal[name].bind(signal)
    signal[name] = (type, listener) => {
      listeners[how](listener)
      own(type, listener)
    }
  }
  note("addEventListener", "add")
  note("removeEventListener", "delete")
  return { abort: () => controller.abort(reason), signal, listeners: () => listeners.size }
}

const rejectsWith = (promise) =>
  assert.rejects(promise, (error) => {
    assert.equal(error, reason)
    return true
  })

/** Every call with `signal`, as one that runs to its end. */
const CALLS = {
  list: async (kv, signal) => {
    for await (const _ of kv.list(["n"], { signal, batchSize: 2 }));
  },
  watch: async (kv, signal) => {
    const watch = kv.watch(["n"], nothing, { signal })
    watch.stop()
    await watch.finished
  },
  "watch as an iterator": async (kv, signal) => {
    for await (const _ of kv.watch(["n"], { signal })) break
  },
  listenQueue: async (kv, signal) => {
    const listener = kv.listenQueue(nothing, { signal, queue: "signals" })
    listener.stop()
    await listener.finished
  },
  lock: async (kv, signal) => {
    const lock = await kv.lock("signals", { signal })
    await lock.release()
  },
  transaction: (kv, signal) => kv.transaction(async (tx) => void (await tx.get(["n", 1])), { signal }),
}

export function signals(target) {
  const store = useStore(target)

  async function fill(count = 10) {
    await store.kv.setMany(Array.from({ length: count }, (_, at) => ({ key: ["n", at], value: at })))
  }

  // Seen to fail: with a signal that is looked at only when it is aborted later.
  test("one that is aborted already is refused with its reason, and nothing has begun", async () => {
    await fill()
    const { kv } = store
    const { signal, abort, listeners } = counted()
    abort()
    let ran = false
    const run = () => (ran = true)
    for (const call of Object.values(CALLS)) await rejectsWith(call(kv, signal))
    for (const sync of [
      () => kv.list(["n"], { signal }),
      () => kv.watch(["n"], run, { signal }),
      () => kv.watch(["n"], { signal }),
      () => kv.listenQueue(run, { signal }),
    ])
      assert.throws(sync, (error) => error === reason)
    await rejectsWith(kv.transaction(run, { signal }))
    assert.deepEqual([ran, listeners()], [false, 0])
    assert.equal((await kv.lock.status("signals")).held, false)
  })

  // Seen to fail: with listeners that are left where a call has ended by itself.
  test("nobody listens to a signal once a call has ended", async () => {
    await fill()
    const { signal, listeners } = counted()
    for (const call of Object.values(CALLS)) for (let n = 0; n < 20; n++) await call(store.kv, signal)
    assert.equal(listeners(), 0)
    for (let n = 0; n < 2000; n++) await CALLS.transaction(store.kv, signal)
    for (let n = 0; n < 8000; n++) await store.kv.list(["n"], { signal, limit: 1 }).next()
    assert.equal(listeners(), 0)
  })

  test("a list rejects with the reason, also while it waits for a page, and is not taken for a whole one", async () => {
    await fill(3000)
    const { kv } = store
    const { signal, abort, listeners } = counted()
    const list = kv.list(["n"], { signal, batchSize: 2 })
    assert.equal((await list.next()).value.value, 0)
    abort()
    await rejectsWith(list.next())
    await rejectsWith(list.next())
    assert.notEqual(list.cursor, "")
    await list.return()
    assert.equal((await list.next()).done, true)

    const later = counted()
    // Nothing matches: it looks at all of them, in another thread.
    const looking = kv.list(["n"], { signal: later.signal, where: { none: 1 } })
    const next = looking.next()
    later.abort()
    await rejectsWith(next)
    assert.deepEqual([listeners(), later.listeners()], [0, 0])

    const whole = kv.list(["n"], { signal: counted().signal, limit: 1 })
    await whole.next()
    assert.equal((await whole.next()).done, true)
  })

  test("a watch stops, with a callback and as an iterator", async () => {
    await fill(1)
    const { kv } = store
    const { signal, abort, listeners } = counted()
    let seen = 0
    const watch = kv.watch(["n"], () => seen++, { signal })
    const iterator = kv.watch(["n"], { signal, emitInitial: false })
    const next = iterator.next()
    await eventually(() => seen > 0, "the present state")
    abort()
    await watch.finished
    assert.deepEqual([watch.closed, iterator.closed, (await next).done], [true, true, true])
    await kv.set(["n", 0], 5)
    assert.deepEqual([seen, listeners()], [1, 0])
  })

  test("a listener stops, and what it handles is settled", async () => {
    const { kv } = store
    const { signal, abort, listeners } = counted()
    const [begun, opened] = [new Gate(), new Gate()]
    const listener = kv.listenQueue(
      async () => {
        begun.open()
        await opened.pass()
      },
      { signal },
    )
    await kv.enqueue("one")
    await begun.pass()
    await kv.enqueue("two")
    abort()
    assert.equal(listener.closed, true)
    opened.open()
    await listener.finished
    const { pending, processing } = await kv.queueStats()
    assert.deepEqual([pending, processing, listeners()], [1, 0, 0])
  })

  // Seen to fail: where a lock that was taken all the same is left to its end.
  test("a lock that is taken all the same is given back, but an owner's is not", async () => {
    const { kv } = store
    const one = counted()
    const taking = kv.lock("l", { signal: one.signal })
    one.abort()
    await rejectsWith(taking)
    await eventually(async () => !(await kv.lock.status("l")).held, "the lock given back")
    const held = await kv.lock("l", { owner: "me" })
    const two = counted()
    const refreshing = kv.lock("l", { owner: "me", signal: two.signal })
    two.abort()
    await rejectsWith(refreshing)
    await kv.set(["after"], 1)
    assert.equal((await kv.lock.status("l")).owner, "me")
    await held.release()
    assert.deepEqual([one.listeners(), two.listeners()], [0, 0])
  })

  describe("a transaction", () => {
    test("that is aborted in its function rejects at once, writes nothing, and its object has ended", async () => {
      const { kv } = store
      const { signal, abort, listeners } = counted()
      const [begun, opened] = [new Gate(), new Gate()]
      let late
      const done = kv.transaction(
        async (tx) => {
          begun.open()
          await opened.pass()
          try {
            tx.set(["t"], 1)
          } catch (error) {
            late = error
          }
        },
        { signal },
      )
      await begun.pass()
      abort()
      await rejectsWith(done)
      opened.open()
      await eventually(() => late !== undefined, "its late write")
      assert.equal(late.code, "INVALID_ARGUMENT")
      assert.equal((await kv.get(["t"])).versionstamp, null)
      assert.equal(listeners(), 0)
    })

    // Seen to fail: where the signal is not looked at between two attempts.
    test("that conflicts is not tried again", async () => {
      const { kv } = store
      const { signal, abort, listeners } = counted()
      let runs = 0
      const conflicting = async (tx) => {
        runs++
        await tx.get(["c"])
        await kv.set(["c"], runs)
        tx.set(["t"], runs)
      }
      // Its wait before the second attempt is an hour at most.
      const done = kv.transaction(conflicting, { signal, retryDelay: "1h" })
      await eventually(() => runs === 1, "the first attempt")
      while ((await kv.get(["c"])).value !== 1) await new Promise(setImmediate)
      await kv.set(["after"], 1)
      abort()
      await rejectsWith(done)
      assert.equal(runs, 1)
      assert.equal((await kv.get(["t"])).versionstamp, null)
      assert.equal(listeners(), 0)
    })

    test("whose commit is handed over says how it went", async () => {
      const { kv } = store
      const { signal, abort } = counted()
      const done = kv.transaction((tx) => void tx.set(["t"], 1), { signal })
      while ((await kv.get(["t"])).versionstamp === null) await new Promise(setImmediate)
      abort()
      const { ok, versionstamp } = await done
      assert.deepEqual([ok, versionstamp], [true, (await kv.get(["t"])).versionstamp])
    })
  })

  test("a signal of another kind is refused by name", async () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    for (const signal of [null, 5, {}, new AbortController(), "abort", new EventTarget(), proxy]) {
      await refused(() => store.kv.list(["n"], { signal }), "INVALID_ARGUMENT", /^signal: /)
      await refused(() => store.kv.lock("l", { signal }), "INVALID_ARGUMENT", /^signal: /)
    }
  })
}
