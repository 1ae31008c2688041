import assert from "node:assert/strict"
import { test } from "node:test"
import { collect, plain } from "../../support/assert.js"
import { counts, drained, Listener } from "../../support/listener.js"
import { T0, useStore } from "../../support/store.js"
import { samples } from "../../support/tables/samples.js"
import { deferred, within } from "../../support/waiting.js"
import { said } from "../../support/watching.js"

/** What becomes of messages whose attempts have all failed. */
export function deadLetters(target) {
  const store = useStore(target)

  /** Lets messages die: `[value, options]` each; they fail with `error of <value>`. */
  async function kill(messages, kv = store.kv, how = {}) {
    const ids = []
    const queues = new Set()
    const { dlq } = await kv.queueStats()
    for (const [value, options] of messages) {
      queues.add(options?.queue ?? "default")
      ids.push((await kv.enqueue(value, { backoffSchedule: [], ...options })).id)
    }
    const fail = ({ value }) => Promise.reject(new Error(`error of ${value}`))
    const listeners = [...queues].map((queue) => new Listener(kv, fail, { queue, ...how }))
    await counts(kv, { dlq: dlq + messages.length, pending: 0, processing: 0 })
    for (const listener of listeners) await listener.stop()
    return ids
  }

  test("a dead letter has the handler's own error, and what the message was", async () => {
    store.at(T0)
    const { kv } = store
    const { id } = await kv.enqueue({ n: 1n }, { backoffSchedule: [10], queue: "q" })
    const fail = ({ attempts }) => Promise.reject(new RangeError(`attempt ${attempts} of mine`))
    const listener = new Listener(kv, fail, { queue: "q" })
    await listener.next()
    await counts(kv, { pending: 1, processing: 0 })
    assert.deepEqual(await kv.dlq.list(), [])
    store.at(T0 + 10)
    await counts(kv, { dlq: 1 })
    const [letter, ...rest] = await kv.dlq.list()
    assert.deepEqual(rest, [])
    const { id: own, ...reported } = letter
    assert.ok(typeof own === "string" && own.length > 0)
    assert.deepEqual(reported, {
      originalId: id,
      value: { n: 1n },
      errorMessage: "attempt 2 of mine",
      attempts: 2,
      originalCreatedAt: T0,
      failedAt: T0 + 10,
      queue: "q",
    })
    assert.deepEqual(await kv.dlq.get(own), letter)
  })

  test("a long error is cut at 8 KiB", async () => {
    await store.kv.enqueue(1, { backoffSchedule: [] })
    new Listener(store.kv, () => Promise.reject(new Error(`begin ${"ü".repeat(20_000)}`)))
    await counts(store.kv, { dlq: 1 })
    const [{ errorMessage }] = await store.kv.dlq.list()
    assert.ok(errorMessage.startsWith("begin ü"))
    const bytes = Buffer.byteLength(errorMessage)
    assert.ok(bytes <= 8192 && bytes > 8000, `${bytes} bytes`)
    assert.ok(!errorMessage.includes("\ufffd"))
  })

  // Seen to fail: write the dead letter alone.
  test("keysIfUndelivered and the dead letter come in one commit", async () => {
    const { kv } = store
    const keys = [
      ["undelivered", 1],
      ["undelivered", "two", 2n],
    ]
    await kv.set(keys[0], "before", { expiresIn: "1h" })
    const reported = deferred()
    kv.watch(
      { prefix: ["undelivered"] },
      async (entries) => reported.resolve([entries, await kv.dlq.list(), await kv.queueStats()]),
      { emitInitial: false },
    )
    await kv.enqueue(new Map([["m", 1n]]), { keysIfUndelivered: keys, backoffSchedule: [] })
    new Listener(kv, () => Promise.reject(new Error("no")))
    const [entries, letters, stats] = await within(reported.promise, "the batch")
    assert.deepEqual(said(entries), said(await kv.getMany(keys)))
    assert.equal(letters.length, 1)
    assert.deepEqual(stats, { pending: 0, processing: 0, dlq: 1, total: 1 })
    assert.equal(new Set(entries.map(({ versionstamp }) => versionstamp)).size, 1)
    for (const { value, expiresAt } of entries) {
      assert.deepEqual([value, expiresAt], [new Map([["m", 1n]]), undefined])
    }
  })

  test("keysIfUndelivered are left alone while an attempt is to come, and when one succeeds", async () => {
    store.at(T0)
    const { kv } = store
    await kv.enqueue("m", { keysIfUndelivered: [["k"]], backoffSchedule: [10] })
    const listener = new Listener(kv, ({ attempts }) => attempts === 1 && Promise.reject(new Error("no")))
    await listener.next()
    await counts(kv, { pending: 1, processing: 0 })
    assert.equal((await kv.get(["k"])).versionstamp, null)
    store.at(T0 + 10)
    await drained(kv)
    assert.equal((await kv.get(["k"])).versionstamp, null)
    assert.deepEqual(await kv.dlq.list(), [])
  })

  test("a key that is named twice is written once", async () => {
    const keys = [["k"], ["l"], ["k"]]
    await kill([["m", { keysIfUndelivered: keys }]])
    assert.deepEqual(
      (await store.kv.getMany(keys)).map(({ value }) => value),
      ["m", "m", "m"],
    )
    assert.equal(await store.kv.changes.head(), 2)
  })

  // Seen to fail: the listener ended with CONFLICT, and so did every one after it; the message came back for
  // ever.
  test("a key that a unique index refuses is left out and named; the message is a dead letter all the same", async () => {
    const { kv } = store
    await kv.createIndex(["failed"], { on: ["mail"], unique: true })
    await kv.set(["failed", "first"], { mail: "ada" })
    await kv.enqueue({ mail: "ada" }, { backoffSchedule: [], keysIfUndelivered: [["failed", 1], ["k"]] })
    await kv.enqueue(
      { mail: "bob" },
      {
        backoffSchedule: [],
        keysIfUndelivered: [
          ["failed", 2],
          ["failed", 3],
        ],
      },
    )
    const listener = new Listener(kv, () => Promise.reject(new Error("no such address")))
    await counts(kv, { dlq: 2, pending: 0, processing: 0 })
    assert.equal(listener.subscription.closed, false)
    const keys = [["failed", 1], ["k"], ["failed", 2], ["failed", 3]]
    const values = (await kv.getMany(keys)).map(({ value }) => value)
    assert.deepEqual(values, [null, { mail: "ada" }, { mail: "bob" }, null])
    const [ada, bob] = (await kv.dlq.list()).map(({ errorMessage }) => errorMessage)
    assert.match(ada, /^no such address; .*\["failed",1\].*\["failed","first"\]/)
    assert.match(bob, /^no such address; .*\["failed",3\].*\["failed",2\]/)
  })

  test("an expired entry makes room under a unique index for a key of keysIfUndelivered", async () => {
    store.at(T0)
    const { kv } = store
    await kv.createIndex(["failed"], { on: ["mail"], unique: true })
    await kv.set(["failed", "first"], { mail: "ada" }, { expiresIn: 10 })
    store.at(T0 + 10)
    await kv.enqueue({ mail: "ada" }, { backoffSchedule: [], keysIfUndelivered: [["failed", 1]] })
    new Listener(kv, () => Promise.reject(new Error("no")))
    await counts(kv, { dlq: 1, pending: 0, processing: 0 })
    assert.deepEqual((await kv.get(["failed", 1])).value, { mail: "ada" })
    const changes = await collect(kv.changes())
    assert.deepEqual(
      changes.map(({ type, key }) => [type, key[1]]),
      [
        ["create", "first"],
        ["delete", "first"],
        ["create", 1],
      ],
    )
    assert.equal((await kv.dlq.list())[0].errorMessage, "no")
  })

  // Seen to fail: a change for each of the four, all of one commit.
  test("a key of several messages that die in one commit has one change", async () => {
    const { kv } = store
    const shared = Array.from({ length: 4 }, (_, n) => [n, { keysIfUndelivered: [["last"], ["each", n]] }])
    await kill(shared, kv, { concurrency: 4 })
    const changes = await collect(kv.changes())
    const reported = changes.map(({ key, versionstamp }) => JSON.stringify([key, versionstamp]))
    assert.equal(new Set(reported).size, reported.length, reported.join(" "))
    assert.equal(changes.filter(({ key }) => key[0] === "each").length, 4)
  })

  test("100 keys", async () => {
    const keys = Array.from({ length: 100 }, (_, at) => ["k", at])
    await kill([["m", { keysIfUndelivered: keys }]])
    assert.equal(await store.kv.count(["k"]), 100)
  })

  test("values of every kind", async () => {
    const values = Object.values(samples())
    const { kv } = store
    for (const [at, value] of values.entries()) {
      await kv.enqueue(value, { backoffSchedule: [], keysIfUndelivered: [["k", at]] })
    }
    const listener = new Listener(kv, () => Promise.reject(new Error("no")), { concurrency: 8 })
    await counts(kv, { dlq: values.length, pending: 0, processing: 0 })
    await listener.stop()
    const letters = await kv.dlq.list({ limit: 1000 })
    const texts = new Set(letters.map(({ originalId }) => originalId))
    assert.equal(texts.size, values.length)
    for (const [at, value] of values.entries()) {
      assert.deepEqual(plain((await kv.get(["k", at])).value), plain(value))
    }
    for (const { id } of letters) assert.equal((await kv.dlq.requeue(id)).ok, true)
    const again = new Listener(kv)
    await again.take(values.length)
    await drained(kv)
  })

  test("list: oldest first, with limit, offset and queue", async () => {
    store.at(T0)
    const names = Array.from({ length: 8 }, (_, at) => `m${at}`)
    for (const [at, name] of names.entries()) {
      store.at(T0 + at)
      await kill([[name, { queue: at % 2 ? "odd" : "even" }]])
    }
    const { kv } = store
    const listed = async (options) => (await kv.dlq.list(options)).map(({ value }) => value)
    assert.deepEqual(await listed(), names)
    assert.deepEqual(await listed({}), names)
    assert.deepEqual(await listed({ limit: 3 }), names.slice(0, 3))
    assert.deepEqual(await listed({ limit: 3, offset: 2 }), names.slice(2, 5))
    assert.deepEqual(await listed({ offset: 6 }), names.slice(6))
    assert.deepEqual(await listed({ offset: 8 }), [])
    assert.deepEqual(await listed({ queue: "odd" }), ["m1", "m3", "m5", "m7"])
    assert.deepEqual(await listed({ queue: "odd", limit: 2, offset: 1 }), ["m3", "m5"])
    assert.deepEqual(await listed({ queue: "none" }), [])
    assert.deepEqual((await kv.dlq.list()).map(({ errorMessage }) => errorMessage)[1], "error of m1")
    assert.equal((await kv.queueStats("odd")).dlq, 4)
    assert.equal((await kv.queueStats()).dlq, 8)
  })

  test("list gives 100 by default", async () => {
    await kill(Array.from({ length: 105 }, (_, at) => [at]))
    assert.equal((await store.kv.dlq.list()).length, 100)
    assert.equal((await store.kv.dlq.list({ limit: 1000 })).length, 105)
  })

  test("large letters, page by page", async () => {
    const value = (at) => `${at} ${"v".repeat(60_000)}`
    const { kv } = store
    for (let at = 0; at < 12; at++) await kv.enqueue(value(at), { backoffSchedule: [] })
    const listener = new Listener(kv, () => Promise.reject(new Error("no")))
    await counts(kv, { dlq: 12 })
    await listener.stop()
    const letters = await kv.dlq.list()
    assert.deepEqual(
      letters.map((letter) => letter.value),
      letters.map((_, at) => value(at)),
    )
    assert.equal(letters.length, 12)
    assert.deepEqual(await kv.dlq.list({ offset: 3, limit: 7 }), letters.slice(3, 10))
  })

  test("get of none is null", async () => {
    assert.equal(await store.kv.dlq.get("unknown"), null)
  })

  test("requeue: back into its queue under a new id, with all its attempts", async () => {
    store.at(T0)
    const { kv } = store
    await kv.enqueue("m", { queue: "q", backoffSchedule: [10], keysIfUndelivered: [["k"]] })
    const failing = new Listener(kv, () => Promise.reject(new Error("no")), { queue: "q" })
    await failing.next()
    await counts(kv, { pending: 1, processing: 0 })
    store.at(T0 + 10)
    await counts(kv, { dlq: 1 })
    await failing.stop()
    await kv.delete(["k"])
    const [letter] = await kv.dlq.list()
    const { ok, id } = await kv.dlq.requeue(letter.id)
    assert.equal(ok, true)
    assert.ok(![letter.id, letter.originalId].includes(id))
    assert.deepEqual(await kv.dlq.requeue(letter.id), { ok: false })
    assert.equal(await kv.dlq.get(letter.id), null)
    assert.deepEqual(await kv.queueStats("q"), { pending: 1, processing: 0, dlq: 0, total: 1 })
    const again = new Listener(kv, () => Promise.reject(new Error("again")), { queue: "q" })
    assert.deepEqual(await again.next(), { id, value: "m", attempts: 1 })
    await counts(kv, { pending: 1, processing: 0 })
    store.at(T0 + 20)
    assert.deepEqual(await again.next(), { id, value: "m", attempts: 2 })
    await counts(kv, { dlq: 1, pending: 0 })
    const [second] = await kv.dlq.list()
    assert.deepEqual([second.originalId, second.errorMessage, second.attempts], [id, "again", 2])
    assert.equal((await kv.get(["k"])).value, "m", "keysIfUndelivered are those of before")
  })

  // Law 4: what is dead is not handled, and the message that is pending is another one.
  test("requeue loses nothing, also while another message has its deduplication key", async () => {
    const { kv } = store
    await kill([["dead", { deduplicationKey: "d" }]])
    await kv.enqueue("standing", { deduplicationKey: "d" })
    const [letter] = await kv.dlq.list()
    await kv.dlq.requeue(letter.id)
    assert.equal((await kv.queueStats()).total, 2)
  })

  test("a requeued message wakes a listener that waits", async () => {
    await kill([["m"]])
    const listener = new Listener(store.kv)
    const [letter] = await store.kv.dlq.list()
    const { id } = await store.kv.dlq.requeue(letter.id)
    assert.deepEqual(await listener.next(), { id, value: "m", attempts: 1 })
  })

  test("requeue and delete of none", async () => {
    assert.deepEqual(await store.kv.dlq.requeue("unknown"), { ok: false })
    assert.deepEqual(await store.kv.dlq.delete("unknown"), { ok: false })
    const { id } = await store.kv.enqueue("alive")
    assert.deepEqual(await store.kv.dlq.requeue(id), { ok: false })
    assert.deepEqual(await store.kv.dlq.delete(id), { ok: false })
    assert.equal((await store.kv.queueStats()).pending, 1)
  })

  test("delete takes one", async () => {
    await kill([["a"], ["b"], ["c"]])
    const letters = await store.kv.dlq.list()
    assert.deepEqual(await store.kv.dlq.delete(letters[1].id), { ok: true })
    assert.deepEqual(await store.kv.dlq.delete(letters[1].id), { ok: false })
    assert.deepEqual(await store.kv.dlq.list(), [letters[0], letters[2]])
  })

  test("purge takes all of them and no message that lives", async () => {
    const { kv } = store
    await kill([["a"], ["b", { queue: "q" }], ["c"]])
    await kv.enqueue("alive")
    assert.deepEqual(await kv.dlq.purge(), { deletedCount: 3 })
    assert.deepEqual(await kv.dlq.purge(), { deletedCount: 0 })
    assert.deepEqual(await kv.dlq.list(), [])
    assert.deepEqual(await kv.queueStats(), { pending: 1, processing: 0, dlq: 0, total: 1 })
  })

  // Seen to fail, on version 0.1.0: it took those of all queues.
  test("purge of one queue leaves the dead letters of the others", async () => {
    const { kv } = store
    const queues = ["mine", "theirs"]
    await kill(queues.map((queue) => [queue, { queue }]))
    assert.deepEqual(await kv.dlq.purge({ queue: "mine" }), { deletedCount: 1 })
    assert.deepEqual(
      (await kv.dlq.list()).map(({ queue }) => queue),
      ["theirs"],
    )
    assert.deepEqual(await kv.dlq.purge({ queue: "nobody's" }), { deletedCount: 0 })
  })

  test("purge of 2500", async () => {
    const { kv } = store
    for (let round = 0; round < 5; round++) {
      const atomic = kv.atomic()
      for (let at = 0; at < 500; at++) atomic.enqueue(at, { backoffSchedule: [] })
      await atomic.commit()
    }
    const listener = new Listener(kv, () => Promise.reject(new Error("no")), { concurrency: 500 })
    await counts(kv, { dlq: 2500, pending: 0, processing: 0 })
    await listener.stop()
    assert.equal((await kv.dlq.list({ limit: 1000, offset: 2000 })).length, 500)
    assert.deepEqual(await kv.dlq.purge(), { deletedCount: 2500 })
    assert.equal((await kv.queueStats()).total, 0)
  })

  test("dead letters survive close and sweeps, and are no entries", {
    skip: !target.persistent,
  }, async () => {
    await kill([["a"], ["b"]])
    const letters = await store.kv.dlq.list()
    await store.reopen()
    store.at(T0)
    await store.sweep()
    await store.kv.delete({ prefix: [] })
    assert.deepEqual(await store.kv.dlq.list(), letters)
  })

  test("another Kv sees them", { skip: !target.shared }, async () => {
    await kill([["a"]])
    const other = store.another()
    const [letter] = await other.dlq.list()
    assert.equal(letter.errorMessage, "error of a")
    assert.equal((await other.dlq.requeue(letter.id)).ok, true)
    assert.deepEqual(await store.kv.dlq.list(), [])
  })
}
