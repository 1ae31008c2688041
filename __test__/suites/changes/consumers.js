import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { collect, refused } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"
import { within } from "../../support/waiting.js"

const [HOUR, DAY] = [3_600_000, 86_400_000]

/** Named consumers of the change feed. Time is frozen. */
export function consumers(target) {
  const store = useStore(target)

  /** Writes 1 to `count` at `["n", 1]` and so on, a commit each; gives the changes. */
  async function write(count, from = 1, root = "n") {
    const head = await store.kv.changes.head()
    for (let at = from; at < from + count; at++) await store.kv.set([root, at], at)
    return collect(store.kv.changes({ from: head + 1 }))
  }

  test("making one reads and writes nothing", async () => {
    const consumer = store.kv.consumer("c")
    assert.equal(consumer.name, "c")
    assert.deepEqual(await consumer.delete(), { ok: false })
    await write(3)
    assert.deepEqual(await consumer.delete(), { ok: false })
  })

  test("uncommitted changes are read again; committed ones are not", async () => {
    const all = await write(5)
    const consumer = store.kv.consumer("c")
    assert.deepEqual(await consumer.read(2), all.slice(0, 2))
    assert.deepEqual(await consumer.read(), all)
    await consumer.commit(all[1].seq)
    assert.deepEqual(await consumer.read(2), all.slice(2, 4))
    await consumer.commit(all[4].seq)
    assert.deepEqual(await consumer.read(), [])
    const more = await write(1, 6)
    assert.deepEqual(await consumer.read(), more)
  })

  test("100 changes are read at a time by default, at most 1000", async () => {
    await store.kv.setMany(Array.from({ length: 1500 }, (_, at) => ({ key: ["n", at], value: at })))
    const consumer = store.kv.consumer("c")
    assert.equal((await consumer.read()).length, 100)
    assert.equal((await consumer.read(1)).length, 1)
    const given = await consumer.read(1000)
    assert.equal(given.length, 1000)
    await consumer.commit(given.at(-1).seq)
    assert.equal((await consumer.read(1000)).length, 500)
  })

  test("a change equals that of the feed", async () => {
    await store.kv.set(["k", 1n, Uint8Array.of(1)], 1)
    await store.kv.delete(["k"])
    assert.deepEqual(await store.kv.consumer("c").read(), await collect(store.kv.changes()))
  })

  test("status gives its position", async () => {
    store.at(T0)
    const consumer = store.kv.consumer("c", { lease: "10s" })
    const none = { name: "c", held: false, leaseExpiresAt: null }
    assert.deepEqual(await consumer.status(), { ...none, position: 0, head: 0, lag: 0 })
    const all = await write(5)
    const [first, head] = [all[0].seq, all[4].seq]
    assert.deepEqual(await consumer.status(), { ...none, position: first - 1, head, lag: 5 })
    await consumer.read(3)
    const held = { name: "c", held: true, head }
    const reader = { ...held, position: first - 1, lag: 5, leaseExpiresAt: T0 + 10_000 }
    assert.deepEqual(await consumer.status(), reader)
    assert.deepEqual(await store.kv.consumer("c").status(), reader, "anybody may ask")
    store.at(T0 + 5000)
    await consumer.commit(all[2].seq)
    assert.deepEqual(await consumer.status(), {
      ...held,
      position: all[2].seq,
      lag: 2,
      leaseExpiresAt: T0 + 15_000,
    })
    await consumer.release()
    assert.deepEqual(await consumer.status(), { ...none, position: all[2].seq, head, lag: 2 })
  })

  test("a consumer that has never read is before the oldest change that is kept", async () => {
    const all = await write(5)
    await store.kv.changes.trim(all[1].seq)
    const consumer = store.kv.consumer("c")
    assert.equal((await consumer.status()).position, all[1].seq)
    assert.deepEqual(await consumer.read(), all.slice(2))
  })

  test("two names are two consumers", async () => {
    const all = await write(3)
    const [a, b] = [store.kv.consumer("a"), store.kv.consumer("b")]
    await a.read()
    await a.commit(all[2].seq)
    assert.deepEqual(await b.read(), all)
    assert.deepEqual(await a.delete(), { ok: true })
    await b.commit(all[0].seq)
  })

  test("the lease is one reader's; another gets BUSY until it is released", async () => {
    const all = await write(3)
    const [a, b] = [store.kv.consumer("c"), store.kv.consumer("c")]
    await a.read()
    const error = await refused(() => b.read(), "BUSY", /\bc\b/)
    assert.equal(error.retryable, true)
    await refused(() => b.commit(all[0].seq), "CONFLICT")
    await a.commit(all[0].seq)
    await refused(() => b.read(), "BUSY")
    await b.release()
    await refused(() => b.read(), "BUSY", /\bc\b/)
    await a.release()
    assert.deepEqual(await b.read(), all.slice(1))
    await refused(() => a.read(), "BUSY")
    await refused(() => a.commit(all[1].seq), "CONFLICT")
    await b[Symbol.asyncDispose]()
    assert.deepEqual(await a.read(), all.slice(1))
  })

  test("several reads of one reader at once are one reader's", async () => {
    const all = await write(3)
    const consumer = store.kv.consumer("c")
    assert.deepEqual(await Promise.all([consumer.read(), consumer.read(2), consumer.read()]), [
      all,
      all.slice(0, 2),
      all,
    ])
    await Promise.all([consumer.commit(all[0].seq), consumer.commit(all[1].seq)])
    assert.deepEqual(await consumer.read(), all.slice(2))
  })

  test("names are apart, whatever they are", async () => {
    const [change] = await write(1)
    for (const name of ["c", "C", "c ", '"', "\\", "\n", "ü", "日本"]) {
      const consumer = store.kv.consumer(name)
      assert.deepEqual(await consumer.read(), [change])
      await consumer.commit(change.seq)
      assert.equal((await consumer.status()).name, name)
    }
  })

  test("another Kv is another reader", { skip: !target.shared }, async () => {
    const all = await write(3)
    const other = store.another()
    const [a, b] = [store.kv.consumer("c"), other.consumer("c")]
    await a.read()
    await refused(() => b.read(), "BUSY")
    await a.commit(all[1].seq)
    await a.release()
    assert.deepEqual(await b.read(), all.slice(2))
  })

  for (const renew of ["read", "commit"]) {
    // Seen to fail: commit without comparing the lease.
    test(`a lease ends by itself, and ${renew} renews it`, async () => {
      store.at(T0)
      const all = await write(3)
      const [a, b] = [store.kv.consumer("c"), store.kv.consumer("c")]
      await a.read()
      store.at(T0 + 20_000)
      await (renew === "read" ? a.read() : a.commit(all[0].seq))
      store.at(T0 + 49_999)
      await refused(() => b.read(), "BUSY")
      store.at(T0 + 50_000)
      assert.equal((await b.status()).held, false)
      assert.deepEqual(await b.read(), renew === "read" ? all : all.slice(1))
      await refused(() => a.commit(all[1].seq), "CONFLICT")
      await refused(() => a.read(), "BUSY")
      await b.commit(all[2].seq)
      assert.equal((await b.status()).position, all[2].seq)
    })
  }

  test("the length of the lease is the reader's", async () => {
    store.at(T0)
    await write(1)
    const [a, b] = [store.kv.consumer("c", { lease: 100 }), store.kv.consumer("c", { lease: "1d" })]
    await a.read()
    store.at(T0 + 100)
    await b.read()
    store.at(T0 + 100 + DAY - 1)
    await refused(() => a.read(), "BUSY")
    store.at(T0 + 100 + DAY)
    await a.read()
  })

  test("commit without a lease is CONFLICT", async () => {
    const all = await write(3)
    await refused(() => store.kv.consumer("c").commit(all[0].seq), "CONFLICT")
    const consumer = store.kv.consumer("d")
    await consumer.read()
    await consumer.release()
    await refused(() => consumer.commit(all[0].seq), "CONFLICT")
    assert.equal((await consumer.status()).position, all[0].seq - 1)
  })

  // Seen to fail: answer at once each time. A loop that waits for the end of a lag has waited for ever.
  test("asking for the status in a loop lets timers run", async () => {
    const consumer = store.kv.consumer("c")
    let rang = false
    setTimeout(() => (rang = true), 1)
    for (let asked = 0; !rang; asked++) {
      assert.ok(asked < 50_000, "no timer has run")
      await consumer.status()
    }
  })

  test("commit goes neither back nor beyond the head", async () => {
    const all = await write(3)
    const consumer = store.kv.consumer("c")
    await consumer.read()
    await consumer.commit(all[1].seq)
    await consumer.commit(all[1].seq)
    await refused(() => consumer.commit(all[0].seq), "INVALID_ARGUMENT", /seq/)
    await refused(() => consumer.commit(all[2].seq + 1), "INVALID_ARGUMENT", /seq/)
    // Seen to fail: "a number is not a whole number", which did not say what was given.
    for (const seq of [1.5, 2 ** 53, -1, Number.NaN])
      await refused(() => consumer.commit(seq), "INVALID_ARGUMENT", new RegExp(`^seq: .* got number ${seq}$`))
    assert.equal((await consumer.status()).position, all[1].seq)
    await consumer.commit(all[2].seq)
  })

  test("delete forgets it, whoever holds it", async () => {
    const all = await write(3)
    const [a, b] = [store.kv.consumer("c"), store.kv.consumer("c")]
    await a.read()
    await a.commit(all[1].seq)
    assert.deepEqual(await b.delete(), { ok: true })
    assert.deepEqual(await b.delete(), { ok: false })
    await refused(() => a.commit(all[2].seq), "CONFLICT")
    assert.deepEqual(await b.read(), all)
  })

  test("position and lease outlive close", { skip: !target.persistent }, async () => {
    store.at(T0)
    const all = await write(5)
    const consumer = store.kv.consumer("c")
    await consumer.read()
    await consumer.commit(all[2].seq)
    await store.reopen()
    store.at(T0 + 30_000)
    assert.equal((await store.kv.consumer("c").status()).position, all[2].seq)
    assert.deepEqual(await store.kv.consumer("c").read(), all.slice(3))
  })

  test("with a prefix it reads the keys under it; its position counts all changes", async () => {
    const { kv } = store
    await write(2, 1, "a")
    await kv.set(["a"], 1)
    await write(1, 1, "aa")
    await write(1, 1, "a\0")
    const [last] = await write(1, 3, "a")
    const consumer = kv.consumer("c", { prefix: ["a"] })
    const given = await consumer.read()
    assert.deepEqual(
      given.map(({ key }) => key),
      [
        ["a", 1],
        ["a", 2],
        ["a", 3],
      ],
    )
    assert.deepEqual(await consumer.read(2), given.slice(0, 2))
    await consumer.commit(last.seq)
    await write(5, 1, "b")
    assert.equal((await consumer.status()).lag, 5)
    await consumer.commit(await kv.changes.head())
    assert.equal((await consumer.status()).lag, 0)
    assert.deepEqual(await consumer.read(), [])
  })

  // Seen to fail: with a position that commit alone moves. The log was kept for a week for what it would
  // never read.
  test("a read that finds nothing under its prefix skips the other changes, and does not hold them up", async () => {
    store.at(T0)
    const consumer = store.kv.consumer("c", { prefix: ["n"] })
    await consumer.read()
    await write(3, 1, "other")
    assert.deepEqual(await consumer.read(), [])
    const { position, lag } = await consumer.status()
    assert.deepEqual([position, lag], [await store.kv.changes.head(), 0])
    await write(2, 1, "other")
    const [mine] = await write(1)
    await write(2, 1, "other")
    for (let twice = 0; twice < 2; twice++) assert.deepEqual(await consumer.read(), [mine])
    assert.equal((await consumer.status()).position, position)
    await consumer.commit(mine.seq)
    assert.deepEqual(await consumer.read(), [])
    store.at(T0 + 2 * HOUR)
    await store.sweep()
    assert.deepEqual(await collect(store.kv.changes()), [])
  })

  test("it keeps its prefix; another one is refused", async () => {
    const { kv } = store
    await write(1, 1, "a")
    await write(1, 1, "b")
    const consumer = kv.consumer("c", { prefix: ["a"] })
    await consumer.read()
    await consumer.release()
    for (const prefix of [["b"], ["a", 1], []]) {
      await refused(() => kv.consumer("c", { prefix }).read(), "INVALID_ARGUMENT", /prefix/)
    }
    const again = await kv.consumer("c", { prefix: ["a"] }).read()
    assert.deepEqual(
      again.map(({ key }) => key),
      [["a", 1]],
    )
    await consumer.delete()
    assert.equal((await kv.consumer("c", { prefix: ["b"] }).read()).length, 1)
  })

  test("reading trimmed changes is HISTORY_GONE", async () => {
    const all = await write(5)
    const consumer = store.kv.consumer("c")
    await consumer.read()
    await consumer.commit(all[1].seq)
    await store.kv.changes.trim(all[1].seq)
    assert.deepEqual(await consumer.read(), all.slice(2))
    await store.kv.changes.trim(all[3].seq)
    await refused(() => consumer.read(), "HISTORY_GONE")
    await consumer.delete()
    assert.deepEqual(await consumer.read(), all.slice(4))
  })

  describe("and the retention", () => {
    // Seen to fail: trim by age alone.
    test("a sweep keeps what a consumer has not passed, for a week after its last call", async () => {
      store.at(T0)
      const all = await write(4)
      const consumer = store.kv.consumer("c")
      await consumer.read()
      await consumer.commit(all[1].seq)
      store.at(T0 + 2 * HOUR)
      await store.sweep()
      assert.deepEqual(await collect(store.kv.changes()), all.slice(2))
      store.at(T0 + 6 * DAY)
      await store.sweep()
      assert.deepEqual(await consumer.read(), all.slice(2))
      store.at(T0 + 12 * DAY)
      await store.sweep()
      assert.deepEqual(await consumer.read(), all.slice(2), "the last call counts")
      store.at(T0 + 12 * DAY + 7 * DAY + HOUR)
      await store.sweep()
      assert.deepEqual(await collect(store.kv.changes()), [])
      await refused(() => consumer.read(), "HISTORY_GONE")
    })

    test("the slowest of two decides", async () => {
      store.at(T0)
      const all = await write(4)
      for (const [name, at] of [
        ["a", 0],
        ["b", 2],
      ]) {
        const consumer = store.kv.consumer(name)
        await consumer.read()
        await consumer.commit(all[at].seq)
      }
      store.at(T0 + 2 * HOUR)
      await store.sweep()
      assert.deepEqual(await collect(store.kv.changes()), all.slice(1))
      await store.kv.consumer("a").delete()
      await store.sweep()
      assert.deepEqual(await collect(store.kv.changes()), all.slice(3))
    })
  })

  test("many readers share one consumer, and each change is finished once or more, in order", async () => {
    const all = await write(60)
    const finished = []
    const readers = Array.from({ length: 4 }, () => store.kv.consumer("c"))
    async function turn(consumer) {
      try {
        const [change] = await consumer.read(1)
        if (change) {
          finished.push(change.seq)
          await consumer.commit(change.seq)
        }
        await consumer.release()
        return change !== undefined
      } catch (error) {
        if (error.code !== "BUSY" && error.code !== "CONFLICT") throw error
      }
      return true
    }
    const loops = readers.map(async (consumer) => {
      while (await turn(consumer));
    })
    await within(Promise.all(loops), "all changes")
    assert.deepEqual(
      finished,
      all.map(({ seq }) => seq),
    )
  })
}
