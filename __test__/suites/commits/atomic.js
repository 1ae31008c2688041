import assert from "node:assert/strict"
import { test } from "node:test"
import { absent, keysOf, plain, refused, STAMP, snapshot, valuesOf } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

function upTo(count) {
  return Array.from({ length: count }, (_, at) => at)
}

export function atomic(target) {
  const store = useStore(target)

  // Seen to fail: nothing was written, and nothing was said.
  test("one that is awaited without commit rejects, in every way to await it", async () => {
    const { kv } = store
    const begin = () => kv.atomic().set(["a"], 1)
    const ways = {
      await: async () => await begin(),
      "await of an empty one": async () => await kv.atomic(),
      "an async function": async () => begin(),
      "Promise.all": () => Promise.all([begin(), kv.get(["a"])]),
      "Promise.resolve": () => Promise.resolve(begin()),
      "then of another promise": () => Promise.resolve().then(begin),
    }
    for (const way of Object.values(ways)) await refused(way, "INVALID_ARGUMENT", /commit\(\)/)
    assert.equal(await kv.count({ prefix: [] }), 0)
    assert.equal((await begin().commit()).ok, true)
  })

  test("a transaction is committed by itself: its function may return what it chained", async () => {
    const { ok } = await store.kv.transaction((tx) => tx.set(["a"], 1))
    await store.kv.transaction(async (tx) => void (await tx.set(["b"], 2)))
    assert.equal(ok, true)
    assert.equal(await store.kv.count({ prefix: [] }), 2)
  })

  test("one versionstamp for a commit, one result for each mutation", async () => {
    await store.kv.set(["a", 1], 0)
    const commit = await store.kv
      .atomic()
      .set(["s"], "v")
      .sum(["n"], 5)
      .max(["max"], 7n)
      .min(["min"], -7)
      .append(["list"], [1, 2])
      .prepend(["list"], [0])
      .delete(["a", 1])
      .delete(["none"])
      .commit()
    const results = [undefined, 5n, 7n, -7n, 2, 3, 1, 0]
    assert.deepEqual(commit, { ok: true, versionstamp: commit.versionstamp, results })
    assert.match(commit.versionstamp, STAMP)
    for (const entry of await snapshot(store.kv)) assert.equal(entry.versionstamp, commit.versionstamp)
    assert.deepEqual(await valuesOf(store.kv, { prefix: [] }), [[0, 1, 2], 7n, -7n, 5n, "v"])
  })

  test("an empty commit is ok and issues a new versionstamp", async () => {
    const { versionstamp } = await store.kv.set(["a"], 1)
    const first = await store.kv.atomic().commit()
    assert.deepEqual(first, { ok: true, versionstamp: first.versionstamp, results: [] })
    const second = await store.kv.atomic().commit()
    assert.ok(versionstamp < first.versionstamp && first.versionstamp < second.versionstamp)
  })

  test("a commit that finds nothing to delete has a versionstamp too", async () => {
    const { versionstamp } = await store.kv.set(["a"], 1)
    const commit = await store.kv.atomic().delete(["none"]).commit()
    assert.deepEqual([commit.ok, commit.results], [true, [0]])
    assert.match(commit.versionstamp, STAMP)
    assert.ok(commit.versionstamp > versionstamp)
    const range = await store.kv
      .atomic()
      .delete({ prefix: ["none"] })
      .commit()
    assert.ok(range.versionstamp > commit.versionstamp)
  })

  test("checks alone write nothing", async () => {
    const { versionstamp } = await store.kv.set(["a"], 1)
    const before = await snapshot(store.kv)
    assert.equal(
      (
        await store.kv
          .atomic()
          .check({ key: ["a"], versionstamp })
          .commit()
      ).ok,
      true,
    )
    assert.deepEqual(await snapshot(store.kv), before)
  })

  test("mutations are applied in their order, each on what the one before left", async () => {
    const { results } = await store.kv
      .atomic()
      .set(["k"], 1)
      .sum(["k"], 2n)
      .delete(["k"])
      .append(["k"], ["a"])
      .prepend(["k"], ["b"])
      .delete({ prefix: [] })
      .set(["k"], 7)
      .max(["k"], 3n)
      .set(["k"], { last: true })
      .commit()
    assert.deepEqual(results, [undefined, 3n, 1, 1, 2, 1, undefined, 7n, undefined])
    assert.deepEqual((await store.kv.get(["k"])).value, { last: true })
  })

  test("a key is deleted alone, a selector deletes what a list shows", async () => {
    for (const key of [["a"], ["a", 1], ["a", 2], ["b"]]) await store.kv.set(key, 0)
    assert.deepEqual((await store.kv.atomic().delete(["a"]).commit()).results, [1])
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }), [["a", 1], ["a", 2], ["b"]])
    const { results } = await store.kv
      .atomic()
      .delete({ prefix: ["a"], start: ["a", 2] })
      .delete({ start: ["b"] })
      .commit()
    assert.deepEqual(results, [1, 1])
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }), [["a", 1]])
  })

  test("checks: an entry as it is, several at once, and what must not exist", async () => {
    await store.kv.set(["a"], 1)
    const there = await store.kv.get(["a"])
    const missing = await store.kv.get(["b"])
    const commit = await store.kv
      .atomic()
      .check(there, missing)
      .check({ key: ["c"], versionstamp: null })
      .set(["b"], 2)
      .commit()
    assert.equal(commit.ok, true)
    assert.equal((await store.kv.get(["b"])).versionstamp, commit.versionstamp)
  })

  test("checks see the entries before the commit", async () => {
    const commit = await store.kv
      .atomic()
      .set(["a"], 1)
      .check({ key: ["a"], versionstamp: null })
      .commit()
    assert.equal(commit.ok, true)
  })

  test("a check with a versionstamp of Deno KV fails", async () => {
    const { kv } = store
    await kv.set(["a"], 1)
    const check = { key: ["a"], versionstamp: "0000000000000001000a" }
    const { ok, conflicts } = await kv.atomic().check(check).set(["a"], 2).commit()
    assert.deepEqual([ok, conflicts.length, (await kv.get(["a"])).value], [false, 1, 1])
  })

  test("a failed check gives the current versionstamp, and nothing is applied", async () => {
    const old = await store.kv.set(["a"], 1)
    const now = await store.kv.set(["a"], 2)
    const other = await store.kv.set(["b"], 1)
    const before = await snapshot(store.kv)
    const commit = await store.kv
      .atomic()
      .check({ key: ["a"], versionstamp: old.versionstamp })
      .check({ key: ["b"], versionstamp: other.versionstamp })
      .check({ key: ["b"], versionstamp: null }, { key: ["gone"], versionstamp: old.versionstamp })
      .set(["a"], 3)
      .sum(["n"], 1n)
      .delete({ prefix: [] })
      .commit()
    assert.deepEqual(commit, {
      ok: false,
      conflicts: [
        { key: ["a"], versionstamp: now.versionstamp },
        { key: ["b"], versionstamp: other.versionstamp },
        { key: ["gone"], versionstamp: null },
      ],
    })
    assert.deepEqual(await snapshot(store.kv), before)
  })

  test("of many that check the same entry, one is applied", async () => {
    await store.kv.set(["seat"], null)
    const entry = await store.kv.get(["seat"])
    const commits = await Promise.all(
      upTo(64).map((at) => store.kv.atomic().check(entry).set(["seat"], at).commit()),
    )
    const winners = upTo(64).filter((at) => commits[at].ok)
    assert.deepEqual(winners, [(await store.kv.get(["seat"])).value])
    const { versionstamp } = commits[winners[0]]
    for (const { ok, conflicts } of commits) {
      if (!ok) assert.deepEqual(conflicts, [{ key: ["seat"], versionstamp }])
    }
  })

  // Law 2. Seen to fail: leave out the savepoint, so that what stood before the failing mutation is
  // committed.
  test("all or nothing: a mutation that cannot be applied undoes those before it", async () => {
    await store.kv.set(["text"], "a secret text")
    await store.kv.set(["n"], 1n)
    await store.kv.set(["a", 1], 1)
    const before = await snapshot(store.kv)
    const commit = store.kv
      .atomic()
      .set(["new"], 1)
      .sum(["n"], 1n)
      .delete({ prefix: ["a"] })
      .append(["list"], [1])
      .sum(["text"], 1n)
      .set(["newer"], 1)
    const error = await refused(() => commit.commit(), "TYPE_MISMATCH", /text/)
    assert.doesNotMatch(error.message, /secret/)
    assert.deepEqual(await snapshot(store.kv), before)
  })

  test("all or nothing: a failure never disturbs the commits that are issued beside it", async () => {
    await store.kv.set(["text"], "text")
    const calls = upTo(300).map((at) => {
      if (at % 3 === 0) return store.kv.atomic().set(["bad", at], at).sum(["text"], 1n).commit()
      if (at % 3 === 1)
        return store.kv
          .atomic()
          .check({ key: ["text"], versionstamp: null })
          .set(["bad", at], at)
          .commit()
      return store.kv.atomic().set(["good", at], at).sum(["sum"], 1n).commit()
    })
    const settled = await Promise.allSettled(calls)
    for (const [at, { reason, value }] of settled.entries()) {
      if (at % 3 === 0) assert.equal(reason.code, "TYPE_MISMATCH")
      else assert.equal(value.ok, at % 3 === 2)
    }
    assert.deepEqual(await keysOf(store.kv, ["bad"]), [])
    assert.equal(await store.kv.count(["good"]), 100)
    assert.equal((await store.kv.get(["sum"])).value, 100n)
  })

  test("append and prepend keep order, and give lengths", async () => {
    await store.kv.set(["list"], ["m"])
    const { results } = await store.kv
      .atomic()
      .append(["list"], ["n", "o"])
      .prepend(["list"], ["k", "l"])
      .append(["list"], [])
      .commit()
    assert.deepEqual(results, [3, 5, 5])
    assert.deepEqual((await store.kv.get(["list"])).value, ["k", "l", "m", "n", "o"])
    assert.deepEqual((await store.kv.atomic().append(["empty"], []).commit()).results, [0])
    assert.deepEqual((await store.kv.get(["empty"])).value, [])
  })

  test("append to a value that is no array is a TYPE_MISMATCH", async () => {
    for (const value of [null, 1, "[]", {}, new Set([1]), Uint8Array.of(1), 1n, { length: 0 }]) {
      await store.kv.set(["k"], value)
      for (const type of ["append", "prepend"]) {
        await refused(() => store.kv.atomic()[type](["k"], [1]).commit(), "TYPE_MISMATCH")
        assert.deepEqual((await store.kv.get(["k"])).value, value)
      }
    }
  })

  test("an array cannot grow over the limit of a value, nor its nesting", async () => {
    const half = "x".repeat(9 * 1024 * 1024)
    await store.kv.set(["big"], [half])
    await refused(() => store.kv.atomic().append(["big"], [half]).commit(), "LIMIT_EXCEEDED")
    assert.equal((await store.kv.get(["big"])).value.length, 1)
    let deepest = []
    const deeper = () => store.kv.set(["deep"], [deepest])
    for (let more = true; more; ) {
      more = await deeper().then(
        () => true,
        () => false,
      )
      if (more) deepest = [deepest]
    }
    await store.kv.set(["deep"], [])
    await refused(
      () => store.kv.atomic().append(["deep"], [deepest]).commit(),
      ["LIMIT_EXCEEDED", "INVALID_ARGUMENT"],
    )
    assert.deepEqual((await store.kv.get(["deep"])).value, [])
  })

  test("mutations as data do the same as the methods", async () => {
    await store.kv.set(["a", 1], 0)
    store.at(T0)
    const { ok, results } = await store.kv
      .atomic()
      .mutate(
        { type: "set", key: ["s"], value: { v: 1 }, expiresIn: 5 },
        { type: "sum", key: ["sum"], value: 1n },
        { type: "max", key: ["max"], value: 2 },
        { type: "min", key: ["min"], value: 3n, expireIn: "1s" },
      )
      .mutate({ type: "append", key: ["l"], value: [1] }, { type: "prepend", key: ["l"], value: [0] })
      .mutate({ type: "delete", key: ["a", 1] }, { type: "delete", key: { prefix: ["a"] } })
      .mutate()
      .commit()
    assert.equal(ok, true)
    assert.deepEqual(results, [undefined, 1n, 2n, 3n, 1, 2, 1, 0])
    const seen = (await snapshot(store.kv)).map(({ key, value, expiresAt }) => [
      key[0],
      plain(value),
      expiresAt,
    ])
    assert.deepEqual(seen, [
      ["l", [0, 1], undefined],
      ["max", 2n, undefined],
      ["min", 3n, T0 + 1000],
      ["s", { v: 1 }, T0 + 5],
      ["sum", 1n, undefined],
    ])
  })

  test("1000 checks and mutations, and not one more", async () => {
    const full = store.kv.atomic()
    for (const at of upTo(500)) full.check({ key: ["n", at], versionstamp: null }).set(["n", at], at)
    assert.equal((await full.commit()).results.length, 500)
    const over = () => {
      const atomic = store.kv.atomic().check({ key: ["m"], versionstamp: null })
      for (const at of upTo(1000)) atomic.set(["m", at], at)
      return atomic.commit()
    }
    await refused(over, "LIMIT_EXCEEDED", /1001/, /1000/)
    assert.equal(await store.kv.count(["m"]), 0)
  })

  test("16 MiB of values or of keys, and not more", async () => {
    const part = "x".repeat(1024 * 1024)
    const values = (count) => () => {
      const atomic = store.kv.atomic()
      for (const at of upTo(count)) atomic.set(["v", at], part)
      return atomic.commit()
    }
    const keys = () => {
      const atomic = store.kv.atomic()
      for (const at of upTo(900)) atomic.set([at, ...upTo(19).map(() => "k".repeat(1024))], 0)
      return atomic.commit()
    }
    assert.equal((await values(15)()).ok, true)
    await store.kv.delete({ prefix: [] })
    await refused(values(17), "LIMIT_EXCEEDED", /16777216|16 MiB/)
    await refused(keys, "LIMIT_EXCEEDED", /16777216|16 MiB/)
    assert.deepEqual(await snapshot(store.kv), [])
  })

  test("commitVersionstamp becomes the commit's, in each key of it", async () => {
    const { kv } = store
    const stamp = kv.commitVersionstamp()
    const first = await kv.atomic().set(["a", stamp], 1).set(["b", 2, stamp], 2).set([stamp], 3).commit()
    const second = await kv.atomic().set(["a", stamp], 4).commit()
    assert.deepEqual(await keysOf(kv, ["a"]), [
      ["a", first.versionstamp],
      ["a", second.versionstamp],
    ])
    assert.equal((await kv.get(["b", 2, first.versionstamp])).value, 2)
    assert.equal((await kv.get([first.versionstamp])).value, 3)
    assert.deepEqual(await kv.get(["a", "x"]), absent(["a", "x"]))
  })

  test("uuidv7 is one in a commit, in keys and values, and new in the next", async () => {
    const { kv } = store
    const id = kv.uuidv7()
    const write = () =>
      kv
        .atomic()
        .set(["a", id, "x"], { id, map: new Map([[id, [kv.uuidv7()]]]) })
        .set(["b", kv.uuidv7()], id)
        .append(["ids"], [id])
        .commit()
    await write()
    await write()
    const ids = (await kv.get(["ids"])).value
    assert.equal(ids.length, 2)
    assert.notEqual(ids[0], ids[1])
    for (const uuid of ids) {
      assert.match(uuid, STAMP)
      assert.deepEqual((await kv.get(["a", uuid, "x"])).value, { id: uuid, map: new Map([[uuid, [uuid]]]) })
      assert.equal((await kv.get(["b", uuid])).value, uuid)
    }
  })

  test("a placeholder's text in a value is just a text", async () => {
    const { kv } = store
    await kv.set(["real"], kv.uuidv7())
    for (const text of ["uuidv7", '{"__type":"uuidv7"}', "\u0000uuid\u0000"]) {
      const value = { text, key: { __type: "uuidv7" } }
      await kv.atomic().set(["t"], value).set(["u"], kv.uuidv7()).commit()
      assert.deepEqual((await kv.get(["t"])).value, value)
    }
  })

  test("builders are independent, and a commit that is not made writes nothing", async () => {
    const first = store.kv.atomic().set(["a"], 1)
    const second = store.kv.atomic().set(["b"], 1)
    store.kv.atomic().set(["c"], 1)
    await second.commit()
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }), [["b"]])
    await first.commit()
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }), [["a"], ["b"]])
  })
}
