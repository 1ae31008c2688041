import assert from "node:assert/strict"
import { test } from "node:test"
import { keysOf, refused } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"
import { Gate } from "../../support/waiting.js"
import { errorsInto, nameOf, Reported, said, watchGated, watchInto } from "../../support/watching.js"

/** [name, target, options, keys that it tells of, keys that it does not] */
const TARGETS = [
  ["a key", ["t"], {}, [["t"], ["t", 1], ["t", "x", 2]], [["u"], ["s", "t"], ["t\0"], ["t\0", 1], ["tt"]]],
  ["a key alone", ["t"], { exact: true }, [["t"]], [["t", 1], ["t", "x", 2], ["u"]]],
  ["keys", [["a"], ["b", 1]], {}, [["a"], ["a", 1], ["b", 1], ["b", 1, 2]], [["b"], ["b", 2], ["c"]]],
  ["keys alone", [["a"], ["b", 1]], { exact: true }, [["a"], ["b", 1]], [["a", 1], ["b"], ["b", 1, 2]]],
  ["one key in a list", [["t"]], {}, [["t"], ["t", 1]], [["u"]]],
  ["keys that lie in each other", [["a"], ["a", 1]], {}, [["a"], ["a", 1], ["a", 1, 2]], [["b"]]],
  [
    "a prefix",
    { prefix: ["t"] },
    {},
    [
      ["t", 1],
      ["t", "x", 2],
    ],
    [["t"], ["u"], ["tt", 1], ["t\0"], ["t\0", 1]],
  ],
  ["everything", { prefix: [] }, {}, [["t"], ["t", 1], ["u"], [false], [Uint8Array.of()]], []],
  [
    "a number",
    ["t", 1],
    {},
    [
      ["t", 1],
      ["t", 1, 0],
    ],
    [["t", 10], ["t", "1"], ["t", 1n], ["t", true], ["t", Uint8Array.of(1)], ["t", 1.5], ["t"]],
  ],
  [
    "text",
    { prefix: ["t", "1"] },
    {},
    [["t", "1", 1]],
    [
      ["t", "10", 1],
      ["t", 1, 1],
      ["t", 1n, 1],
      ["t", Uint8Array.of(0x31), 1],
      ["t", "1"],
    ],
  ],
  [
    "a bigint",
    ["t", 1n],
    {},
    [["t", 1n]],
    [
      ["t", 1],
      ["t", 256n],
      ["t", -1n],
      ["t", "1"],
    ],
  ],
  [
    "bytes",
    ["t", Uint8Array.of(1)],
    {},
    [["t", Uint8Array.of(1)]],
    [
      ["t", Uint8Array.of(1, 0)],
      ["t", 1],
    ],
  ],
]

/** Every way to write; each leaves `["k"]` at the value. */
const WRITERS = {
  set: ["new", (kv) => kv.set(["k"], "new")],
  setMany: ["new", (kv) => kv.setMany([{ key: ["k"], value: "new" }])],
  atomic: ["new", (kv) => kv.atomic().set(["k"], "old").set(["k"], "new").commit()],
  transaction: ["new", (kv) => kv.transaction((tx) => void tx.set(["k"], "new"))],
  sum: [5n, (kv) => kv.atomic().sum(["k"], 5n).commit()],
  append: [["a", "b"], (kv) => kv.atomic().append(["k"], ["a"]).append(["k"], ["b"]).commit()],
}

const DELETERS = {
  "delete of a key": (kv) => kv.delete(["k"]),
  "delete of the key alone": (kv) => kv.delete(["k"], { exact: true }),
  "delete of a range": (kv) => kv.delete({ prefix: [] }),
  "an atomic delete": (kv) => kv.atomic().delete(["k"]).commit(),
  "a delete in a transaction": (kv) => kv.transaction((tx) => void tx.delete(["k"])),
}

// Seen to fail: take for a descendant what only begins with the same bytes, as ["t\0"] does with ["t"].
/** What a watch tells. */
export function watch(target) {
  const store = useStore(target)

  const watching = (what, options) => watchInto(store.kv, what, options)

  for (const [name, what, options, keys, others] of TARGETS) {
    test(`${name}: reports its keys and no others`, async () => {
      const { kv } = store
      const all = [...keys, ...others]
      await kv.setMany(all.map((key) => ({ key, value: 1 })))
      const { reported, errors } = watching(what, options)
      await reported.until((entries) => entries.size === keys.length)
      assert.deepEqual(reported.said(), said(keys.map((key) => ({ key, value: 1, versionstamp: "" }))))
      assert.ok(reported.batches.every(({ initial }) => initial))

      const seen = reported.batches.length
      for (const key of all) await kv.set(key, 2)
      if (others.length > 0) await kv.delete(others)
      await kv.delete({ prefix: [] })
      await kv.setMany([...others, ...keys].map((key) => ({ key, value: 3 })))
      const fence = await kv.set(keys[0], "end")
      await reported.reaches(keys[0], fence.versionstamp)
      const later = reported.batches.slice(seen)
      assert.ok(later.every(({ initial, reset }) => !initial && !reset))
      const names = new Set(later.flatMap(({ entries }) => entries.map(({ key }) => nameOf(key))))
      assert.deepEqual([...names].sort(), keys.map(nameOf).sort())
      assert.deepEqual(
        reported.said(),
        said(keys.map((key, at) => ({ key, value: at ? 3 : "end", versionstamp: "" }))),
      )
      assert.deepEqual(errors, [])
    })
  }

  test("an entry is reported as get shows it", async () => {
    store.at(T0)
    await store.kv.set(["k", 1n], new Map([["at", new Date(5)]]), { expiresIn: 1000 })
    await store.kv.set(["k", 2n], null)
    const { reported } = watching(["k"])
    const { entries } = await reported.next()
    assert.deepEqual(
      entries,
      await store.kv.getMany([
        ["k", 1n],
        ["k", 2n],
      ]),
    )
    await store.kv.set(["k", 1n], Uint8Array.of(1, 2), { expiresIn: 5 })
    const later = await reported.next()
    assert.deepEqual(later.entries, [await store.kv.get(["k", 1n])])
    assert.equal(later.entries[0].expiresAt, T0 + 5)
    assert.equal(later.versionstamp, later.entries[0].versionstamp)
  })

  test("a key is a copy of what it was when the watch began", async () => {
    const key = ["k"]
    const { reported } = watching(key, { exact: true })
    key[0] = "other"
    await reported.next()
    await store.kv.set(["k"], 1)
    assert.deepEqual(said((await reported.next()).entries), ["[ 'k' ]=1"])
  })

  for (const [name, [value, write]] of Object.entries(WRITERS)) {
    test(`${name} is reported`, async () => {
      const { reported } = watching(["k"])
      await reported.next()
      await write(store.kv)
      const { entries } = await reported.next()
      assert.deepEqual(
        entries.map((entry) => entry.value),
        [value],
      )
      assert.deepEqual(entries, [await store.kv.get(["k"])])
    })
  }

  for (const [name, remove] of Object.entries(DELETERS)) {
    test(`${name} is reported as null`, async () => {
      await store.kv.set(["k"], 1)
      const { reported } = watching(["k"])
      assert.deepEqual(said((await reported.next()).entries), ["[ 'k' ]=1"])
      await remove(store.kv)
      assert.deepEqual((await reported.next()).entries, [{ key: ["k"], value: null, versionstamp: null }])
    })
  }

  test("a prefix delete of many is reported key by key, in batches of at most 500", async () => {
    const keys = Array.from({ length: 1200 }, (_, at) => ["n", at])
    await store.kv.setMany(keys.map((key) => ({ key, value: 0 })))
    const { reported } = watching({ prefix: ["n"] })
    await reported.until((entries) => entries.size === 1200)
    const seen = reported.batches.length
    await store.kv.delete(["n"])
    await reported.until((entries) => entries.size === 0)
    const later = reported.batches.slice(seen)
    assert.ok(later.length >= 3)
    assert.ok(later.every(({ entries }) => entries.length <= 500))
    assert.equal(later.flatMap(({ entries }) => entries).length, 1200)
  })

  test("touch is not reported", async () => {
    await store.kv.set(["k"], 1)
    const { reported } = watching(["k"])
    await reported.next()
    assert.deepEqual(await store.kv.touch(["k"], { expiresIn: "1h" }), { ok: true })
    await store.kv.set(["k", "end"], 1)
    assert.deepEqual(said((await reported.next()).entries), ["[ 'k', 'end' ]=1"])
  })

  test("a commit that was not applied is not reported", async () => {
    await store.kv.set(["k"], 1)
    const { reported } = watching(["k"])
    await reported.next()
    const failed = store.kv
      .atomic()
      .check({ key: ["k"], versionstamp: null })
      .set(["k"], 2)
    assert.equal((await failed.commit()).ok, false)
    await refused(
      () => store.kv.atomic().set(["k"], 3).sum(["k"], 1n).set(["k"], "x").sum(["k"], 1n).commit(),
      ["TYPE_MISMATCH"],
    )
    await store.kv.set(["k", "end"], 1)
    assert.deepEqual(said((await reported.next()).entries), ["[ 'k', 'end' ]=1"])
  })

  test("the current state of 1200 entries comes in batches of at most 500, all initial", async () => {
    await store.kv.setMany(Array.from({ length: 1200 }, (_, at) => ({ key: ["n", at], value: at })))
    const { reported } = watching({ prefix: ["n"] })
    await reported.until((entries) => entries.size === 1200)
    assert.ok(reported.batches.length >= 3)
    assert.ok(reported.batches.every(({ initial, dropped }) => initial && dropped === 0))
    assert.ok(reported.batches.every(({ entries }) => entries.length > 0 && entries.length <= 500))
    const keys = reported.batches.flatMap(({ entries }) => entries.map(({ key }) => key))
    assert.deepEqual(keys, await keysOf(store.kv, ["n"]), "each once, in the order of a list")
  })

  test("writes while the current state is reported are not lost", async () => {
    const { kv } = store
    await kv.setMany(Array.from({ length: 1200 }, (_, at) => ({ key: ["n", at], value: 0 })))
    const { reported, gate } = watchGated(kv, { prefix: ["n"] })
    await reported.next()
    await kv.set(["n", 0], "after")
    await kv.set(["n", 1199], "before")
    await kv.delete(["n", 1])
    await kv.delete(["n", 1198])
    const { versionstamp } = await kv.set(["n", 1200], "new")
    gate.open()
    await reported.reaches(["n", 1200], versionstamp)
    await reported.until((entries) => entries.size === 1199 && entries.get("[ 'n', 0 ]").value === "after")
    assert.equal(reported.entries.get("[ 'n', 1199 ]").value, "before")
    assert.equal(reported.entries.has("[ 'n', 1 ]") || reported.entries.has("[ 'n', 1198 ]"), false)
  })

  test("the current state of nothing is one batch without entries", async () => {
    for (const what of [["k"], [["k"], ["l"]], { prefix: ["k"] }, { prefix: [] }]) {
      const { reported } = watching(what)
      const { entries, initial, dropped } = await reported.next()
      assert.deepEqual([entries, initial, dropped], [[], true, 0])
    }
    await store.kv.set(["k", 1], 1)
  })

  test("the current state of exact keys names those that are absent", async () => {
    await store.kv.set(["b"], 1)
    const { reported } = watching([["a"], ["b"]], { exact: true })
    const { entries, initial } = await reported.next()
    assert.equal(initial, true)
    assert.deepEqual(said(entries), ["[ 'a' ]=gone", "[ 'b' ]=1"])
  })

  test("emitInitial: false reports only writes after the call", async () => {
    await store.kv.set(["k"], 1)
    const { reported } = watching(["k"], { emitInitial: false })
    const { versionstamp } = await store.kv.set(["k", 2], 2)
    const batch = await reported.next()
    assert.deepEqual(said(batch.entries), ["[ 'k', 2 ]=2"])
    assert.deepEqual(
      [batch.initial, batch.reset, batch.dropped, batch.versionstamp],
      [false, false, 0, versionstamp],
    )
  })

  // Seen to fail: do not await the callback.
  test("a slow callback receives the newest state once, and nothing twice", async () => {
    const { kv } = store
    await kv.set(["k", "gone"], 1)
    const reported = new Reported()
    const gate = new Gate()
    let running = 0
    kv.watch(["k"], async (...batch) => {
      assert.equal(++running, 1)
      reported.callback(...batch)
      await gate.pass()
      running--
    })
    await reported.next()
    for (let at = 0; at < 100; at++) await kv.set(["k", "n"], at)
    await kv.set(["k", "once"], 1)
    await kv.delete(["k", "gone"])
    assert.equal(reported.batches.length, 1, "a batch is awaited before the next")
    gate.open()
    const { entries } = await reported.next()
    assert.deepEqual(said(entries), ["[ 'k', 'gone' ]=gone", "[ 'k', 'n' ]=99", "[ 'k', 'once' ]=1"])
    await kv.set(["k", "end"], 1)
    assert.deepEqual(said((await reported.next()).entries), ["[ 'k', 'end' ]=1"])
  })

  test("an error of a callback goes to onError, and the watch continues", async () => {
    const boom = [new Error("sync"), "async", new Error("again")]
    const reported = new Reported()
    const errors = []
    const subscription = store.kv.watch(
      ["k"],
      (...batch) => {
        reported.callback(...batch)
        const error = boom[reported.batches.length - 1]
        if (error === "async") return Promise.reject(error)
        if (error) throw error
      },
      { onError: errorsInto(errors) },
    )
    for (let at = 0; at < 4; at++) {
      await reported.next()
      await store.kv.set(["k"], at)
    }
    assert.deepEqual(said((await reported.next()).entries), ["[ 'k' ]=3"])
    assert.deepEqual(errors, boom)
    assert.equal(subscription.closed, false)
  })

  test("without onError it is printed", async () => {
    const printed = new Reported().inbox
    const real = console.error
    console.error = (...what) => printed.put(what)
    try {
      const boom = new Error("boom")
      store.kv.watch(["k"], () => {
        throw boom
      })
      assert.ok((await printed.next()).includes(boom))
    } finally {
      console.error = real
    }
  })
}
