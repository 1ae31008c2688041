import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { KvU64 } from "@buntime/keyval"
import { collect, plain, refused } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"
import { Inbox, within } from "../../support/waiting.js"

const DONE = { done: true, value: undefined }
const [HOUR, DAY] = [3_600_000, 86_400_000]

/** `type key`, for short. */
function reported(changes) {
  return changes.map(({ type, key }) => `${type} ${key.join("/")}`)
}

/** What the change log keeps: trims, retention, its modes. */
export function changesRetention(target) {
  const store = useStore(target)

  function read(options, kv = store.kv) {
    return within(collect(kv.changes(options)), "the end of the changes")
  }

  /** Writes 1 to `count` at `["n", 1]` and so on, a commit each. */
  async function write(count, from = 1) {
    for (let at = from; at < from + count; at++) await store.kv.set(["n", at], at)
  }

  /** Reads a live tail into an inbox. */
  function tail(kv = store.kv) {
    const inbox = new Inbox()
    const iterator = kv.changes({ live: true })
    void (async () => {
      for await (const change of iterator) inbox.put(change)
    })().catch((error) => inbox.fail(error))
    return { inbox }
  }

  test("trim forgets up to and including a number", async () => {
    await write(10)
    const all = await read()
    const { kv } = store
    assert.deepEqual(await kv.changes.trim(0), { trimmedCount: 0 })
    assert.deepEqual(await kv.changes.trim(all[3].seq), { trimmedCount: 4 })
    assert.deepEqual(await kv.changes.trim(all[3].seq), { trimmedCount: 0 })
    assert.deepEqual(await read(), all.slice(4))
    assert.deepEqual(await read({ from: all[4].seq }), all.slice(4))
    await refused(() => read({ from: all[3].seq }), "HISTORY_GONE")
    assert.equal(await kv.changes.head(), all[9].seq)
    assert.equal(await kv.count({ prefix: [] }), 10, "the entries are there")
  })

  // Seen to fail: take the largest number that is kept for the newest.
  test("numbers go on after a trim of all, also after a new opening", async () => {
    await write(3)
    const head = await store.kv.changes.head()
    assert.deepEqual(await store.kv.changes.trim(-1), { trimmedCount: 3 })
    assert.equal(await store.kv.changes.head(), head)
    assert.deepEqual(await read(), [])
    await refused(() => read({ from: head }), "HISTORY_GONE")
    assert.deepEqual(await read({ from: head + 1 }), [])
    if (target.persistent) await store.reopen()
    assert.equal(await store.kv.changes.head(), head)
    await write(1)
    assert.deepEqual(
      (await read()).map(({ seq }) => seq),
      [head + 1],
    )
    assert.equal(await store.kv.changes.head(), head + 1)
  })

  test("an iterator that a trim has overtaken says so", async () => {
    await store.kv.setMany(Array.from({ length: 2500 }, (_, at) => ({ key: ["n", at], value: at })))
    const iterator = store.kv.changes()
    const first = (await iterator.next()).value
    await store.kv.changes.trim(first.seq + 2400)
    // A page that was read before may still be given.
    await refused(() => within(collect(iterator)), "HISTORY_GONE")
    assert.deepEqual(await iterator.next(), DONE)
  })

  test("a tail that has read everything is not disturbed by a trim", async () => {
    const { inbox } = tail()
    for (let at = 1; at <= 5; at++) {
      await write(1, at)
      await inbox.next()
      await store.kv.changes.trim(-1)
    }
    await write(1, 6)
    assert.deepEqual(reported([await inbox.next()]), ["create n/6"])
  })

  test("expiry: a delete when it is removed, once; a key that is set after it is created", async () => {
    store.at(T0)
    await store.kv.set(["k"], 1, { expiresIn: 10 })
    await store.kv.set(["again"], 1, { expiresIn: 10 })
    store.at(T0 + 10)
    await store.kv.set(["again"], 2)
    await store.sweep()
    await store.sweep()
    const given = reported(await read())
    assert.deepEqual(
      given.filter((text) => text.endsWith(" k")),
      ["create k", "delete k"],
    )
    const again = given.filter((text) => text.endsWith(" again"))
    assert.equal(again.at(-1), "create again")
    assert.ok(again.length <= 3)
  })

  test("a sweep trims what is older than the retention", async () => {
    store.at(T0)
    await write(3)
    store.at(T0 + HOUR / 2)
    await write(2, 4)
    await store.sweep()
    const all = await read()
    assert.equal(all.length, 5)
    store.at(T0 + HOUR + 1000)
    await store.sweep()
    assert.deepEqual(await read(), all.slice(3))
    await refused(() => read({ from: all[0].seq }), "HISTORY_GONE")
    store.at(T0 + DAY)
    await store.sweep()
    assert.deepEqual(await read(), [])
    assert.equal(await store.kv.changes.head(), all[4].seq)
  })

  test("changes older than a time without a log are gone: no reader skips that time unnoticed", {
    skip: !target.persistent,
  }, async () => {
    await write(2)
    const consumer = store.kv.consumer("c")
    await consumer.read()
    await consumer.commit(2)
    await consumer.release()
    await store.reopen({ changeLog: "off" })
    await store.kv.set(["silent"], 1)
    await store.reopen({ changeLog: "keys" })
    await store.kv.set(["heard"], 1)
    assert.deepEqual(reported(await read()), ["create heard"])
    await refused(() => read({ from: 2 }), "HISTORY_GONE")
    await refused(() => store.kv.consumer("c").read(), "HISTORY_GONE")
  })

  describe("a retention that was set", () => {
    const brief = useStore(target, { options: { retention: "2m" } })

    test("is kept, also by a Kv that sets none", async () => {
      brief.at(T0)
      await brief.kv.set(["k"], 1)
      if (target.persistent) await brief.reopen()
      brief.at(T0 + 110_000)
      await brief.kv.set(["k"], 2)
      await brief.sweep()
      assert.equal((await read({}, brief.kv)).length, 2)
      brief.at(T0 + 130_000)
      await brief.sweep()
      assert.deepEqual(reported(await read({}, brief.kv)), ["update k"])
    })
  })

  describe("with values", () => {
    const full = useStore(target, { options: { changeLog: "values" } })

    test("a change has the written value", async () => {
      const { kv } = full
      const values = [
        { a: [1, undefined] },
        null,
        Uint8Array.of(0, 255),
        2n ** 70n,
        new Date(5),
        new KvU64(7n),
        new Map([[1n, new Set(["x"])]]),
        "text",
        -0,
      ]
      for (const value of values) await kv.set(["k"], value)
      await kv.atomic().set(["n"], 40).sum(["n"], 2n).commit()
      await kv.atomic().append(["l"], [1]).append(["l"], [2n]).commit()
      await kv.delete(["k"])
      const given = await read({}, kv)
      const written = given.slice(0, -1).map(({ value }) => plain(value))
      assert.deepEqual(written, [...values.map(plain), 42n, [1, 2n]])
      assert.equal(given.at(-1).type, "delete")
      assert.equal("value" in given.at(-1), false)
    })

    test("a live tail has values too", async () => {
      const { inbox } = tail(full.kv)
      await full.kv.set(["k"], "v".repeat(200_000))
      assert.equal((await inbox.next()).value.length, 200_000)
    })

    test("large values, page by page", async () => {
      const value = (at) => `${at} ${"v".repeat(30_000)}`
      const atomic = full.kv.atomic()
      for (let at = 0; at < 40; at++) atomic.set(["k", at], value(at))
      await atomic.commit()
      const given = await read({}, full.kv)
      assert.deepEqual(
        given.map((change) => change.value),
        given.map((_, at) => value(at)),
      )
      assert.equal(given.length, 40)
      assert.deepEqual(await full.kv.consumer("c").read(1000), given)
      assert.deepEqual(await read({ from: given[20].seq, limit: 10 }, full.kv), given.slice(20, 30))
    })

    test("only changes that were made under it have values", { skip: !target.persistent }, async () => {
      await full.kv.set(["k"], 1)
      await full.reopen({ changeLog: "keys" })
      await full.kv.set(["k"], 2)
      await full.reopen({ changeLog: undefined })
      await full.kv.set(["k"], 3)
      const given = await read({}, full.kv)
      assert.deepEqual(
        given.map((change) => ("value" in change ? change.value : "none")),
        [1, "none", "none"],
      )
    })
  })

  describe("with a changeLog that is off", () => {
    const silent = useStore(target, { options: { changeLog: "off" } })

    test("there are no changes and no consumers", async () => {
      await silent.kv.set(["k"], 1)
      await refused(() => silent.kv.changes(), "UNSUPPORTED", /changeLog/)
      await refused(() => silent.kv.changes({ live: true }), "UNSUPPORTED", /changeLog/)
      await refused(() => silent.kv.consumer("c").read(), "UNSUPPORTED", /changeLog/)
      await refused(() => silent.kv.consumer("c"), "UNSUPPORTED", /changeLog/)
    })
  })
}
