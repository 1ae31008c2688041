import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { KvU64 } from "@buntime/keyval"
import { collect, plain, refused, STAMP } from "../support/assert.js"
import { T0, useStore } from "../support/store.js"
import { Inbox, within } from "../support/waiting.js"

const DONE = { done: true, value: undefined }
const [HOUR, DAY] = [3_600_000, 86_400_000]

/** `type key`, for short. */
function told(changes) {
  return changes.map(({ type, key }) => `${type} ${key.join("/")}`)
}

/** The change feed. Seen to fail: the stub of before it was written. */
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
    assert.deepEqual(told(given), [
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

  test("one net change a key and commit; what came and went within one has none", async () => {
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
    assert.deepEqual(told(given).sort(), ["create new", "delete old", "update back"])
    assert.ok(given.every((change) => change.versionstamp === versionstamp))
    assert.deepEqual(
      given.map(({ seq }) => seq),
      [head + 1, head + 2, head + 3],
    )
  })

  test("nothing for what changes nothing, and for what was refused", async () => {
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
    assert.deepEqual(told(await read()), ["create a", "create c"])
    assert.equal(await kv.changes.head(), (await read())[1].seq)
  })

  test("a prefix delete tells each key", async () => {
    await write(5)
    const head = await store.kv.changes.head()
    await store.kv.delete(["n"])
    const given = await read({ from: head + 1 })
    assert.deepEqual(
      told(given).sort(),
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

  test("from is inclusive", async () => {
    await write(10)
    const all = await read()
    for (const at of [0, 1, 5, 9]) assert.deepEqual(await read({ from: all[at].seq }), all.slice(at))
    assert.deepEqual(await read({ from: all[9].seq + 1 }), [])
    assert.deepEqual(await read({ from: all[9].seq + 1000 }), [])
  })

  test("prefix: what list shows, never the prefix itself, never a longer part", async () => {
    const { kv } = store
    for (const key of [["t"], ["t", 1], ["t", 10], ["t", "1"], ["t", 1, 2], ["tt", 1], ["u"]]) {
      await kv.set(key, 1)
    }
    await kv.delete(["t", 1, 2])
    assert.deepEqual(told(await read({ prefix: ["t", 1] })), ["create t/1/2", "delete t/1/2"])
    assert.deepEqual(told(await read({ prefix: ["t"] })), [
      "create t/1",
      "create t/10",
      "create t/1",
      "create t/1/2",
      "delete t/1/2",
    ])
    assert.equal((await read({ prefix: [] })).length, 8)
    assert.deepEqual(await read({ prefix: ["none"] }), [])
  })

  test("limit counts what is given, not what is passed over", async () => {
    for (let at = 0; at < 20; at++) await store.kv.set([at % 2 ? "odd" : "even", at], at)
    assert.deepEqual(told(await read({ limit: 3 })), ["create even/0", "create odd/1", "create even/2"])
    assert.deepEqual(told(await read({ prefix: ["odd"], limit: 2 })), ["create odd/1", "create odd/3"])
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

  test("live gives what is there, then waits", async () => {
    await write(3)
    const { inbox } = tail()
    assert.deepEqual(told(await inbox.take(3)), ["create n/1", "create n/2", "create n/3"])
    await store.kv.delete(["n", 1])
    assert.deepEqual(told([await inbox.next()]), ["delete n/1"])
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
    assert.deepEqual(told(some.inbox.all), ["create x/1", "create x/2"])
    assert.deepEqual(told(await later.inbox.take(2)), ["create y/2", "create x/2"])
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

  // Seen to fail: the stub of before it was written.
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
    assert.deepEqual(told([await inbox.next()]), ["create n/6"])
  })

  test("expiry: a delete when it is removed, once; a key that is set after it is created", async () => {
    store.at(T0)
    await store.kv.set(["k"], 1, { expiresIn: 10 })
    await store.kv.set(["again"], 1, { expiresIn: 10 })
    store.at(T0 + 10)
    await store.kv.set(["again"], 2)
    await store.sweep()
    await store.sweep()
    const given = told(await read())
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
      assert.deepEqual(told(await read({}, brief.kv)), ["update k"])
    })
  })

  describe("with values", () => {
    const full = useStore(target, { options: { changeLog: "values" } })

    test("a change has what was written", async () => {
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

    test("a live tail and a watch work as ever", async () => {
      const { inbox } = tail({}, full.kv)
      await full.kv.set(["k"], "v".repeat(200_000))
      assert.equal((await inbox.next()).value.length, 200_000)
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
