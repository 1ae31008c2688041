import assert from "node:assert/strict"
import { test } from "node:test"
import { refused } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"
import { eventually } from "../../support/waiting.js"

const FREE = { held: false, owner: null, token: null, expiresAt: null }
const TEN_MINUTES = 600_000

/** Locks with fencing tokens. Time is frozen. */
export function locks(target) {
  const store = useStore(target)

  test("a free lock is taken, and a second owner does not get it", async () => {
    store.at(T0)
    const { kv } = store
    const lock = await kv.lock("l")
    assert.equal(lock.acquired, true)
    assert.equal(typeof lock.token, "bigint")
    assert.ok(lock.token > 0n)
    assert.ok(typeof lock.owner === "string" && lock.owner.length > 0)
    assert.equal(lock.expiresAt, T0 + TEN_MINUTES)
    const second = await kv.lock("l", { duration: "1h" })
    assert.deepEqual([second.acquired, second.token, second.expiresAt], [false, 0n, T0 + TEN_MINUTES])
    assert.notEqual(second.owner, lock.owner)
    const third = await kv.lock("l", { owner: "me" })
    assert.deepEqual([third.acquired, third.token, third.owner], [false, 0n, "me"])
  })

  test("status gives its holder", async () => {
    store.at(T0)
    const { kv } = store
    assert.deepEqual(await kv.lock.status("l"), FREE)
    const lock = await kv.lock("l", { owner: "me", duration: "30s" })
    assert.deepEqual(await kv.lock.status("l"), {
      held: true,
      owner: "me",
      token: lock.token,
      expiresAt: T0 + 30_000,
    })
    assert.deepEqual(await kv.lock.status("other"), FREE)
    await lock.release()
    assert.deepEqual(await kv.lock.status("l"), FREE)
  })

  test("names are apart, whatever they are", async () => {
    const names = ["l", "L", "l ", "ü", "日本", '"', "\\", "\n", "'", "\u2028"]
    const locks = await Promise.all(names.map((name) => store.kv.lock(name)))
    assert.ok(locks.every(({ acquired }) => acquired))
    for (const [at, name] of names.entries()) {
      assert.equal((await store.kv.lock.status(name)).owner, locks[at].owner)
      assert.equal((await store.kv.lock(`owned ${at}`, { owner: name })).owner, name)
      assert.equal((await store.kv.lock.status(`owned ${at}`)).owner, name)
    }
    await locks[0].release()
    assert.equal((await store.kv.lock("L")).acquired, false)
    assert.equal((await store.kv.lock("l")).acquired, true)
  })

  test("release frees it, once", async () => {
    const lock = await store.kv.lock("l")
    assert.deepEqual(await lock.release(), { ok: true })
    assert.deepEqual(await lock.release(), { ok: false })
    const next = await store.kv.lock("l")
    assert.equal(next.acquired, true)
    assert.deepEqual(await lock.release(), { ok: false }, "the lock of another is not released")
    assert.equal((await store.kv.lock.status("l")).token, next.token)
  })

  test("release of one that was not acquired frees nothing", async () => {
    const lock = await store.kv.lock("l")
    const none = await store.kv.lock("l")
    assert.deepEqual(await none.release(), { ok: false })
    await none[Symbol.asyncDispose]()
    assert.equal((await store.kv.lock.status("l")).token, lock.token)
  })

  // Seen to fail: give every lock the same token.
  test("a token is larger than every earlier one", async () => {
    store.at(T0)
    let last = 0n
    for (let at = 0; at < 6; at++) {
      const lock = await store.kv.lock("l", { duration: 10 })
      assert.equal(lock.acquired, true)
      assert.ok(lock.token > last, `${lock.token} after ${last}`)
      last = lock.token
      if (at % 2) store.at(T0 + (at + 1) * 10)
      else await lock.release()
      if (at === 3) await store.sweep()
    }
  })

  test("tokens go on after a new opening", { skip: !target.persistent }, async () => {
    store.at(T0)
    const lock = await store.kv.lock("l", { duration: 1000 })
    await lock.release()
    const second = await store.kv.lock("l", { duration: 1000 })
    await store.reopen()
    store.at(T0 + 999)
    assert.equal((await store.kv.lock("l")).acquired, false, "it outlives close")
    store.at(T0 + 1000)
    await store.sweep()
    const third = await store.kv.lock("l")
    assert.ok(third.token > second.token && second.token > lock.token)
  })

  test("it ends by itself at its time", async () => {
    store.at(T0)
    const lock = await store.kv.lock("l", { duration: "10s" })
    store.at(T0 + 9999)
    assert.equal((await store.kv.lock("l")).acquired, false)
    assert.equal((await store.kv.lock.status("l")).held, true)
    store.at(T0 + 10_000)
    assert.deepEqual(await store.kv.lock.status("l"), FREE)
    const next = await store.kv.lock("l")
    assert.equal(next.acquired, true)
    assert.ok(next.token > lock.token)
    assert.deepEqual(await lock.release(), { ok: false })
    assert.equal((await store.kv.lock.status("l")).held, true)
  })

  test("release after its end is too late, also if nobody has taken it", async () => {
    store.at(T0)
    const lock = await store.kv.lock("l", { duration: 10 })
    store.at(T0 + 10)
    assert.deepEqual(await lock.release(), { ok: false })
  })

  test("the same owner refreshes it: a new duration, the same token", async () => {
    store.at(T0)
    const first = await store.kv.lock("l", { owner: "me", duration: "10s" })
    store.at(T0 + 5000)
    const again = await store.kv.lock("l", { owner: "me", duration: "20s" })
    assert.deepEqual([again.acquired, again.token, again.owner], [true, first.token, "me"])
    assert.equal(again.expiresAt, T0 + 25_000)
    assert.equal((await store.kv.lock.status("l")).expiresAt, T0 + 25_000)
    store.at(T0 + 24_999)
    assert.equal((await store.kv.lock("l", { owner: "you" })).acquired, false)
    const shorter = await store.kv.lock("l", { owner: "me", duration: 1 })
    assert.equal(shorter.expiresAt, T0 + 25_000)
    store.at(T0 + 25_000)
    assert.equal((await store.kv.lock("l", { owner: "you" })).acquired, true)
    assert.equal((await store.kv.lock("l", { owner: "me" })).acquired, false)
  })

  test("the same owner after its end gets a new token", async () => {
    store.at(T0)
    const first = await store.kv.lock("l", { owner: "me", duration: 10 })
    store.at(T0 + 10)
    const again = await store.kv.lock("l", { owner: "me", duration: 10 })
    assert.equal(again.acquired, true)
    assert.ok(again.token > first.token)
    assert.deepEqual(await first.release(), { ok: false }, "the token is another")
    assert.equal((await store.kv.lock.status("l")).token, again.token)
  })

  test("await using gives it back", async () => {
    const lock = await store.kv.lock("l")
    await lock[Symbol.asyncDispose]()
    assert.deepEqual(await store.kv.lock.status("l"), FREE)
    await lock[Symbol.asyncDispose]()
  })

  test("with a clock that runs it ends by itself", async () => {
    await store.kv.lock("l", { duration: 30 })
    const next = await eventually(async () => {
      const lock = await store.kv.lock("l")
      return lock.acquired && lock
    })
    assert.ok(next.token > 0n)
  })

  test("of many calls at once one gets it", async () => {
    const given = await Promise.all(Array.from({ length: 50 }, () => store.kv.lock("l")))
    assert.equal(given.filter(({ acquired }) => acquired).length, 1)
    const [holder] = given.filter(({ acquired }) => acquired)
    assert.ok(given.every(({ expiresAt }) => expiresAt === holder.expiresAt))
    assert.equal(new Set(given.map(({ owner }) => owner)).size, 50)
  })

  test("it protects: a counter that is read and written under it", async () => {
    let held = 0
    let most = 0
    async function increment() {
      for (;;) {
        const lock = await store.kv.lock("l")
        if (!lock.acquired) continue
        most = Math.max(most, ++held)
        const { value } = await store.kv.get(["n"])
        await store.kv.set(["n"], (value ?? 0) + 1)
        held--
        return lock.release()
      }
    }
    await Promise.all(Array.from({ length: 10 }, increment))
    assert.deepEqual([(await store.kv.get(["n"])).value, most], [10, 1])
  })

  test("two Kv see each other's locks", { skip: !target.shared }, async () => {
    const other = store.another()
    const lock = await store.kv.lock("l", { owner: "me" })
    assert.equal((await other.lock("l")).acquired, false)
    assert.equal((await other.lock.status("l")).token, lock.token)
    assert.equal((await other.lock("l", { owner: "me" })).token, lock.token, "an owner is a name")
    await lock.release()
    const next = await other.lock("l")
    assert.ok(next.acquired && next.token > lock.token)
    await other.close()
    assert.equal((await store.kv.lock.status("l")).held, true, "close gives nothing back")
  })

  test("a lock leaves no entry and no change", async () => {
    const lock = await store.kv.lock("l")
    await lock.release()
    assert.equal(await store.kv.count({ prefix: [] }), 0)
    assert.equal(await store.kv.changes.head(), 0)
  })

  test("after close it is CLOSED", async () => {
    const lock = await store.kv.lock("l")
    await store.kv.close()
    await refused(() => store.kv.lock("l"), "CLOSED")
    await refused(() => store.kv.lock.status("l"), "CLOSED")
    await refused(() => lock.release(), "CLOSED")
  })

  // Seen to fail: ask on the thread for reads that take long. It came after seconds.
  test("the holder of a lock is reported beside a read that takes long", {
    skip: !target.persistent,
  }, async () => {
    const { kv } = store
    await kv.setMany(Array.from({ length: 20_000 }, (_, at) => ({ key: ["n", at], value: { at } })))
    const reported = []
    const where = { $or: Array.from({ length: 100 }, (_, at) => ({ at: -1 - at })) }
    const counted = kv.count(["n"], { where }).then(() => reported.push("count"))
    assert.equal((await kv.lock.status("x")).held, false)
    reported.push("status")
    await counted
    assert.deepEqual(reported, ["status", "count"])
  })
}
