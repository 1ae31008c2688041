import assert from "node:assert/strict"
import { test } from "node:test"
import { collect, refused } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"
import { Inbox, pause, within } from "../../support/waiting.js"

/** A consumer as a loop. */
export function consumerLoops(target) {
  const store = useStore(target)

  /** Writes 1 to `count` at `["n", 1]` and so on, a commit each; gives the changes. */
  async function write(count, from = 1) {
    const head = await store.kv.changes.head()
    for (let at = from; at < from + count; at++) await store.kv.set(["n", at], at)
    return collect(store.kv.changes({ from: head + 1 }))
  }

  /** Iterates into an inbox. */
  function reading(consumer, work = () => {}) {
    const inbox = new Inbox()
    const ended = (async () => {
      for await (const change of consumer) {
        inbox.put(change)
        await work(change)
      }
    })()
    ended.catch((error) => inbox.fail(error))
    return { inbox, ended }
  }

  // Seen to fail: note a change as passed before the body has run.
  test("for await commits the changes that the body has finished, not the one it threw at", async () => {
    const all = await write(5)
    const consumer = store.kv.consumer("c")
    const seen = []
    await assert.rejects(
      within(
        (async () => {
          for await (const change of consumer) {
            seen.push(change)
            if (seen.length === 3) throw new RangeError("mine")
          }
        })(),
      ),
      RangeError,
    )
    assert.deepEqual(seen, all.slice(0, 3))
    assert.equal((await consumer.status()).position, all[1].seq)
    const { inbox } = reading(store.kv.consumer("c"))
    // Another reader waits at most for the lease; this one was given back or is taken over.
    await consumer.release()
    assert.deepEqual(await inbox.take(3), all.slice(2))
  })

  test("for await continues page after page", async () => {
    await store.kv.setMany(Array.from({ length: 1500 }, (_, at) => ({ key: ["n", at], value: at })))
    const { inbox } = reading(store.kv.consumer("c"))
    const given = await inbox.take(1500)
    assert.deepEqual(
      given.map(({ key }) => key[1]),
      given.map((_, at) => at),
    )
    const more = await write(3, 2000)
    assert.deepEqual(await inbox.take(3), more)
  })

  test("for await waits while another holds the lease", async () => {
    const all = await write(4)
    const holder = store.kv.consumer("c")
    await holder.read()
    const { inbox } = reading(store.kv.consumer("c"))
    await holder.commit(all[1].seq)
    assert.equal(inbox.all.length, 0)
    await holder.release()
    assert.deepEqual(await inbox.take(2), all.slice(2))
  })

  test("for await takes over when the lease of another has run out", async () => {
    store.at(T0)
    const all = await write(2)
    const holder = store.kv.consumer("c")
    await holder.read()
    const { inbox } = reading(store.kv.consumer("c"))
    store.at(T0 + 29_999)
    await refused(() => store.kv.consumer("c").read(), "BUSY")
    assert.equal(inbox.all.length, 0)
    store.at(T0 + 30_000)
    assert.deepEqual(await inbox.take(2), all)
    await refused(() => holder.commit(all[0].seq), "CONFLICT")
  })

  test("for await takes over with a clock that runs", async () => {
    const all = await write(2)
    await store.kv.consumer("c", { lease: 100 }).read()
    const { inbox } = reading(store.kv.consumer("c"))
    assert.deepEqual(await inbox.take(2), all)
  })

  test("a loop keeps its lease from change to change", async () => {
    store.at(T0)
    const all = await write(5)
    const rival = store.kv.consumer("c")
    let count = 0
    const { inbox, ended } = reading(store.kv.consumer("c"), async () => {
      store.at(T0 + ++count * 20_000)
      await refused(() => rival.read(), "BUSY")
    })
    assert.deepEqual(await inbox.take(5), all)
    await store.kv.close()
    await within(ended, "the end of the loop")
  })

  // Seen to fail: the lease ran out while the body ran, and another loop of this process had its change too.
  test("no other of its process takes over while the body of a loop runs, however long", async () => {
    store.at(T0)
    const all = await write(3)
    const loop = store.kv.consumer("c")[Symbol.asyncIterator]()
    assert.deepEqual((await loop.next()).value, all[0])
    const rival = store.kv.consumer("c")
    const { inbox } = reading(store.kv.consumer("c"))
    for (const ms of [30_000, 60_000, 3_600_000]) {
      store.at(T0 + ms)
      await refused(() => rival.read(), "BUSY")
      assert.equal((await rival.status()).leaseExpiresAt, T0 + ms + 30_000)
    }
    assert.deepEqual((await loop.next()).value, all[1])
    assert.deepEqual((await loop.next()).value, all[2])
    assert.equal(inbox.all.length, 0)
    await loop.return()
    assert.deepEqual(await inbox.take(1), [all[2]])
  })

  // Seen to fail: both had every change.
  test("two loops of one object take turns", async () => {
    const all = await write(2)
    const consumer = store.kv.consumer("c")
    const loops = Array.from({ length: 3 }, () => consumer[Symbol.asyncIterator]())
    assert.deepEqual((await loops[0].next()).value, all[0])
    const [second, third] = [loops[1].next(), loops[2].next()]
    assert.deepEqual((await loops[0].next()).value, all[1])
    await within(loops[2].return())
    assert.deepEqual(await within(third), { done: true, value: undefined })
    await loops[0].return()
    assert.deepEqual((await within(second)).value, all[1])
    await loops[1].return()
  })

  test("a loop ends with its Kv, and another Kv of the process takes over", {
    skip: !target.shared,
  }, async () => {
    const all = await write(2)
    const other = store.another()
    const loop = store.kv.consumer("c")[Symbol.asyncIterator]()
    assert.deepEqual((await loop.next()).value, all[0])
    await refused(() => other.consumer("c").read(), "BUSY")
    const { inbox } = reading(other.consumer("c"))
    await store.kv.close()
    assert.deepEqual(await inbox.take(2), all)
  })

  test("a loop that a trim has overtaken says so", async () => {
    await store.kv.setMany(Array.from({ length: 2500 }, (_, at) => ({ key: ["n", at], value: at })))
    const { ended } = reading(store.kv.consumer("c"), async ({ key }) => {
      if (key[1] === 5) await store.kv.changes.trim(-1)
    })
    await refused(() => within(ended), "HISTORY_GONE")
  })

  test("close commits the changes that the body has finished, and no more", {
    skip: !target.persistent,
  }, async () => {
    const all = await write(5)
    const closing = []
    const { inbox, ended } = reading(store.kv.consumer("c"), ({ seq }) => {
      if (seq === all[2].seq) closing.push(store.kv.close())
    })
    await within(ended, "the end of the loop")
    await Promise.all(closing)
    await store.reopen()
    const { position } = await store.kv.consumer("c").status()
    assert.ok(position >= all[1].seq && position <= inbox.all.at(-1).seq, `position ${position}`)
  })

  test("leaving the loop gives the lease back", async () => {
    const all = await write(3)
    const consumer = store.kv.consumer("c")
    for await (const { seq } of consumer) if (seq === all[2].seq) break
    assert.deepEqual(await store.kv.consumer("c").read(), all.slice(2))
  })

  // Seen to fail: with the `return` of a generator, which waits behind the `next` before it.
  test("return() ends an iterator that waits for changes, and one that waits for the lease", async () => {
    const [change] = await write(1)
    const consumer = store.kv.consumer("c")
    const iterator = consumer[Symbol.asyncIterator]()
    assert.deepEqual(await iterator.next(), { done: false, value: change })
    const waiting = iterator.next()
    const other = store.kv.consumer("c")[Symbol.asyncIterator]()
    const queued = other.next()
    await pause(20)
    for (const [one, next] of [
      [other, queued],
      [iterator, waiting],
    ]) {
      assert.deepEqual(await within(one.return()), { done: true, value: undefined })
      assert.deepEqual(await within(next), { done: true, value: undefined })
      assert.deepEqual(await one.next(), { done: true, value: undefined })
    }
    const { position, held } = await consumer.status()
    assert.deepEqual(
      [position, held],
      [change.seq, false],
      "what was passed is committed, the lease is given back",
    )
    const unused = consumer[Symbol.asyncIterator]()
    await unused.return()
    assert.equal((await unused.next()).done, true)
  })

  test("close of the Kv ends for await", async () => {
    await write(2)
    const consumer = store.kv.consumer("c")
    const waiting = reading(consumer)
    const blocked = reading(store.kv.consumer("c"))
    await waiting.inbox.take(2)
    await within(store.kv.close(), "close")
    await within(waiting.ended, "the end of the loop")
    await within(blocked.ended, "the end of the loop that waits for the lease")
    await refused(() => consumer.read(), "CLOSED")
    await refused(() => consumer.commit(1), "CLOSED")
    await refused(() => consumer.status(), "CLOSED")
    await refused(() => consumer.delete(), "CLOSED")
  })
}
