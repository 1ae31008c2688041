import assert from "node:assert/strict"
import { test } from "node:test"
import { collect, refused, STAMP } from "../../support/assert.js"
import { useStore } from "../../support/store.js"
import { Inbox, within } from "../../support/waiting.js"

const DONE = { done: true, value: undefined }

/** `type key`, for short. */
function reported(changes) {
  return changes.map(({ type, key }) => `${type} ${key.join("/")}`)
}

/** The change feed. */
export function changes(target) {
  const store = useStore(target)

  function read(options, kv = store.kv) {
    return within(collect(kv.changes(options)), "the end of the changes")
  }

  /** Writes 1 to `count` at `["n", 1]` and so on, a commit each. */
  async function write(count, from = 1) {
    for (let at = from; at < from + count; at++) await store.kv.set(["n", at], at)
  }

  test("a store without a change", async () => {
    assert.deepEqual(await read(), [])
    assert.equal(await store.kv.changes.head(), 0)
    await store.kv.atomic().commit()
    await store.kv.delete({ prefix: [] })
    assert.equal(await store.kv.changes.head(), 0)
    assert.deepEqual(await store.kv.changes.trim(-1), { trimmedCount: 0 })
  })

  test("each change of each key, in commit order, with its type", async () => {
    const { kv } = store
    const stamps = []
    const note = (result) => stamps.push(result.versionstamp)
    note(await kv.set(["b"], 1))
    note(await kv.set(["a"], 1))
    note(await kv.set(["b"], 2))
    note(await kv.atomic().sum(["n"], 1n).append(["l"], [1]).commit())
    await kv.delete(["b"])
    note(await kv.set(["b"], 3))
    const given = await read()
    assert.deepEqual(reported(given), [
      "create b",
      "create a",
      "update b",
      "create n",
      "create l",
      "delete b",
      "create b",
    ])
    assert.deepEqual(
      given.map(({ seq }) => seq),
      given.map((_, at) => given[0].seq + at),
    )
    assert.equal(await kv.changes.head(), given.at(-1).seq)
    assert.ok(given.every(({ versionstamp }) => STAMP.test(versionstamp)))
    const commits = given.filter(({ type }) => type !== "delete").map(({ versionstamp }) => versionstamp)
    assert.deepEqual(commits, [stamps[0], stamps[1], stamps[2], stamps[3], stamps[3], stamps[4]])
    assert.ok(given[5].versionstamp > stamps[3] && given[5].versionstamp < stamps[4])
    assert.ok(given.every((change) => !("value" in change)))
  })

  test("one net change per key and commit; a key created and deleted in one commit has none", async () => {
    const { kv } = store
    await kv.set(["old"], 1)
    await kv.set(["back"], 1)
    const head = await kv.changes.head()
    const { versionstamp } = await kv
      .atomic()
      .set(["new"], 1)
      .set(["new"], 2)
      .set(["gone"], 1)
      .delete(["gone"])
      .set(["old"], 2)
      .delete(["old"])
      .delete(["back"])
      .set(["back"], 2)
      .delete(["never"])
      .commit()
    const given = await read({ from: head + 1 })
    assert.deepEqual(reported(given).sort(), ["create new", "delete old", "update back"])
    assert.ok(given.every((change) => change.versionstamp === versionstamp))
    assert.deepEqual(
      given.map(({ seq }) => seq),
      [head + 1, head + 2, head + 3],
    )
  })

  test("no change for a write that changes nothing or was refused", async () => {
    const { kv } = store
    await kv.set(["a"], "text")
    await kv.touch(["a"], { expiresIn: "1h" })
    await kv.touch(["b"], { expiresIn: "1h" })
    await kv.delete(["b"])
    await kv.transaction((tx) => tx.get(["a"]))
    await kv
      .atomic()
      .check({ key: ["a"], versionstamp: null })
      .set(["b"], 1)
      .commit()
    await refused(() => kv.atomic().set(["b"], 1).sum(["a"], 1n).commit(), "TYPE_MISMATCH")
    await kv.set(["c"], 1)
    assert.deepEqual(reported(await read()), ["create a", "create c"])
    assert.equal(await kv.changes.head(), (await read())[1].seq)
  })

  test("a prefix delete reports each key", async () => {
    await write(5)
    const head = await store.kv.changes.head()
    await store.kv.delete(["n"])
    const given = await read({ from: head + 1 })
    assert.deepEqual(
      reported(given).sort(),
      [1, 2, 3, 4, 5].map((at) => `delete n/${at}`),
    )
    assert.equal(new Set(given.map(({ versionstamp }) => versionstamp)).size, 1)
  })

  test("keys keep their types", async () => {
    const keys = [
      ["k", 1],
      ["k", "1"],
      ["k", 1n],
      ["k", true],
      ["k", Uint8Array.of(1)],
      ["k", -0],
    ]
    for (const key of keys) await store.kv.set(key, 1)
    assert.deepEqual(
      (await read()).map(({ key }) => key),
      keys,
    )
  })

  // Seen to fail: it was HISTORY_GONE, though nothing was ever trimmed.
  test("from 0 is from the beginning, also before the first change", async () => {
    assert.equal(await store.kv.changes.head(), 0)
    assert.deepEqual(await read({ from: 0 }), [])
    await write(2)
    assert.deepEqual(await read({ from: 0 }), await read())
    await store.kv.changes.trim(1)
    await refused(() => read({ from: 0 }), "HISTORY_GONE", /changes 1 to 1 were trimmed/)
  })

  test("from is inclusive", async () => {
    await write(10)
    const all = await read()
    for (const at of [0, 1, 5, 9]) assert.deepEqual(await read({ from: all[at].seq }), all.slice(at))
    assert.deepEqual(await read({ from: all[9].seq + 1 }), [])
    assert.deepEqual(await read({ from: all[9].seq + 1000 }), [])
  })

  test("prefix: what list shows, never the prefix itself, never a longer part", async () => {
    const { kv } = store
    for (const key of [["t"], ["t", 1], ["t", 10], ["t", "1"], ["t", 1, 2], ["tt", 1], ["t\0", 1], ["u"]]) {
      await kv.set(key, 1)
    }
    await kv.delete(["t", 1, 2])
    assert.deepEqual(reported(await read({ prefix: ["t", 1] })), ["create t/1/2", "delete t/1/2"])
    assert.deepEqual(reported(await read({ prefix: ["t"] })), [
      "create t/1",
      "create t/10",
      "create t/1",
      "create t/1/2",
      "delete t/1/2",
    ])
    assert.equal((await read({ prefix: [] })).length, 9)
    assert.deepEqual(await read({ prefix: ["none"] }), [])
  })

  test("a prefix under which little happens", async () => {
    const { kv } = store
    const entries = Array.from({ length: 4000 }, (_, at) => ({ key: ["n", at], value: at }))
    await kv.setMany(entries.slice(0, 3000))
    await kv.set(["rare", 1], 1)
    await kv.setMany(entries.slice(3000))
    await kv.set(["rare", 2], 1)
    assert.deepEqual(reported(await read({ prefix: ["rare"] })), ["create rare/1", "create rare/2"])
    assert.deepEqual(reported(await read({ prefix: ["rare"], limit: 1 })), ["create rare/1"])
    const consumer = kv.consumer("c", { prefix: ["rare"] })
    assert.deepEqual(reported(await consumer.read(1)), ["create rare/1"])
    assert.deepEqual(reported(await consumer.read(10)), ["create rare/1", "create rare/2"])
  })

  test("limit counts the changes returned, not those skipped", async () => {
    for (let at = 0; at < 20; at++) await store.kv.set([at % 2 ? "odd" : "even", at], at)
    assert.deepEqual(reported(await read({ limit: 3 })), ["create even/0", "create odd/1", "create even/2"])
    assert.deepEqual(reported(await read({ prefix: ["odd"], limit: 2 })), ["create odd/1", "create odd/3"])
    assert.equal((await read({ limit: 1_000_000 })).length, 20)
  })

  test("2500 changes, page by page", async () => {
    const entries = Array.from({ length: 2500 }, (_, at) => ({ key: ["n", at], value: at }))
    await store.kv.setMany(entries)
    const all = await read()
    assert.deepEqual(
      all.map(({ key }) => key[1]),
      entries.map((_, at) => at),
    )
    assert.deepEqual(
      all.map(({ seq }) => seq),
      all.map((_, at) => all[0].seq + at),
    )
    assert.deepEqual((await read({ from: all[1999].seq, limit: 501 })).length, 501)
    const few = []
    for await (const change of store.kv.changes()) {
      if (few.push(change) === 600) break
    }
    assert.deepEqual(few, all.slice(0, 600), "the loop is left early")
  })

  test("an iterator is one, and ends for good", async () => {
    await write(2)
    const iterator = store.kv.changes()
    assert.equal(iterator[Symbol.asyncIterator](), iterator)
    assert.equal((await iterator.next()).value.seq, (await read())[0].seq)
    assert.deepEqual(await iterator.return(), DONE)
    assert.deepEqual(await iterator.next(), DONE)
  })

  /** Reads a live tail into an inbox. */
  function tail(options, kv = store.kv) {
    const inbox = new Inbox()
    const iterator = kv.changes({ live: true, ...options })
    const ended = (async () => {
      for await (const change of iterator) inbox.put(change)
    })()
    // Whoever awaits it later sees the error; until then it is nobody's.
    ended.catch(() => {})
    return { inbox, iterator, ended }
  }

  test("live returns the existing changes, then waits", async () => {
    await write(3)
    const { inbox } = tail()
    assert.deepEqual(reported(await inbox.take(3)), ["create n/1", "create n/2", "create n/3"])
    await store.kv.delete(["n", 1])
    assert.deepEqual(reported([await inbox.next()]), ["delete n/1"])
    await write(600, 10)
    const given = await inbox.take(600)
    assert.deepEqual(
      given.map(({ key }) => key[1]),
      given.map((_, at) => 10 + at),
    )
  })

  test("live with a prefix, a limit and a future from", async () => {
    await write(3)
    const head = await store.kv.changes.head()
    const some = tail({ prefix: ["x"], limit: 2 })
    const later = tail({ from: head + 3 })
    await store.kv.set(["y", 1], 1)
    await store.kv.set(["x", 1], 1)
    await store.kv.set(["y", 2], 1)
    await store.kv.set(["x", 2], 1)
    await within(some.ended, "the end after two")
    assert.deepEqual(reported(some.inbox.all), ["create x/1", "create x/2"])
    assert.deepEqual(reported(await later.inbox.take(2)), ["create y/2", "create x/2"])
  })

  test("live sees the writes of another Kv", { skip: !target.shared }, async () => {
    const { inbox } = tail()
    const other = store.another()
    for (let at = 0; at < 20; at++) {
      await other.set(["k", at], 1)
      assert.deepEqual((await inbox.next()).key, ["k", at])
    }
  })

  test("return and close of the Kv end a tail that waits", async () => {
    const [left, closed] = [tail(), tail()]
    await write(1)
    await left.inbox.next()
    await closed.inbox.next()
    assert.deepEqual(await within(left.iterator.return(), "return"), DONE)
    await within(left.ended, "the end after return")
    await store.kv.close()
    await within(closed.ended, "the end after close")
    assert.deepEqual(await closed.iterator.next(), DONE)
    await refused(() => store.kv.changes(), "CLOSED")
    await refused(() => store.kv.changes.head(), "CLOSED")
    await refused(() => store.kv.changes.trim(-1), "CLOSED")
  })
}
