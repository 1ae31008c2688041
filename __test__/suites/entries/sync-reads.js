import assert from "node:assert/strict"
import { test } from "node:test"
import { KvError, KvU64 } from "@buntime/keyval"
import { plant } from "../../../dist/testing.js"
import { absent, refused } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

/** More than is read on the JavaScript thread where the event loop must not be held. */
const LARGE = "x".repeat(400 * 1024)

/** Reads without a promise give what `get` and `getMany` give, or throw what those reject with. */
export function syncReads(target) {
  const store = useStore(target)

  if (!target.syncReads) {
    // Seen to fail: with the capability not looked at.
    test("reads without a promise are UNSUPPORTED", async () => {
      for (const call of [() => store.kv.getSync(["a"]), () => store.kv.getManySync([["a"]])])
        await refused(call, "UNSUPPORTED", /get/)
    })
    return
  }

  test("getSync gives what get gives, of every kind of value", async () => {
    const { kv } = store
    store.at(T0)
    const values = [
      null,
      0,
      "text é \u{1f600}",
      [1, [2]],
      { a: { b: 1 } },
      5n,
      new Date(7),
      new Map([[1, new Set(["a"])]]),
      new KvU64(9n),
      Uint8Array.of(1, 2, 0),
      new Uint8Array(0),
      LARGE,
      [undefined, Number.NaN],
    ]
    for (const [at, value] of values.entries()) {
      await kv.set(["v", at], value, at % 2 ? { expiresIn: 1000 } : undefined)
      assert.deepEqual(kv.getSync(["v", at]), await kv.get(["v", at]))
    }
    const keys = [...values.keys(), 99].map((at) => ["v", at])
    assert.deepEqual(kv.getManySync(keys), await kv.getMany(keys))
    assert.deepEqual(kv.getSync(["none"]), absent(["none"]))
    assert.deepEqual(kv.getManySync([]), [])
    store.at(T0 + 1000)
    assert.deepEqual(kv.getSync(["v", 1]), absent(["v", 1]))
    assert.equal(kv.getSync(["v", 0]).value, null)
  })

  test("an answer keeps neither the key nor the bytes that were given", async () => {
    const { kv } = store
    const key = ["a", Uint8Array.of(1)]
    await kv.set(key, Uint8Array.of(7))
    const [one, [two]] = [kv.getSync(key), kv.getManySync([key])]
    key[1][0] = 2
    one.value[0] = 8
    assert.deepEqual(
      [one.key, two.key, two.value],
      [["a", Uint8Array.of(1)], ["a", Uint8Array.of(1)], Uint8Array.of(7)],
    )
  })

  test("it sees every write that was awaited, also within one turn of the event loop", async () => {
    const { kv } = store
    await kv.set(["n"], -1)
    for (let n = 0; n < 100; n++) {
      const writing = kv.set(["n"], n)
      assert.equal(kv.getSync(["n"]).value, n - 1) // Nothing has crossed to the store yet.
      await writing
      for (let again = 0; again < 5; again++) assert.equal(kv.getSync(["n"]).value, n)
    }
  })

  test("getManySync reads one snapshot", async () => {
    const { kv } = store
    const keys = Array.from({ length: 20 }, (_, at) => ["pair", at])
    const rewrite = (n) => {
      const commit = kv.atomic()
      for (const key of keys) commit.set(key, n)
      return commit.commit()
    }
    await rewrite(0)
    for (let n = 1; n <= 100; n++) {
      let done = false
      const writing = rewrite(n).then(() => (done = true))
      while (!done) {
        assert.equal(new Set(kv.getManySync(keys).map(({ value }) => value)).size, 1)
        await new Promise(setImmediate)
      }
      await writing
    }
  })

  test("a read of a turn that has many gives what stands when it is made", async () => {
    const { kv } = store
    await kv.set(["n"], 0)
    for (let n = 0; n < 200; n++) kv.getSync(["n"])
    await kv.set(["n"], 1)
    assert.equal((await kv.get(["n"])).value, 1)
    assert.equal(kv.getSync(["n"]).value, 1)
  })

  // Seen to fail: with an answer whose text is no JSON parsed as it is: a SyntaxError that quotes the value.
  test("what cannot be read throws, names the key and no value, and is met alone", async () => {
    const { kv } = store
    await kv.set(["ok"], 1)
    for (const planted of [
      '{"v":sekret',
      "1,2",
      '1,"sekret",0,1,0],"a',
      '{"a":{"__type":"bigint","value":"no"}}',
    ]) {
      await plant(kv, ["bad"], planted)
      for (const call of [() => kv.getSync(["bad"]), () => kv.getManySync([["ok"], ["bad"]])]) {
        const error = await refused(call, "CORRUPT", /key \["bad"\]/)
        assert.doesNotMatch(error.message, /sekret/)
      }
      assert.equal(kv.getSync(["ok"]).value, 1)
    }
  })

  // Seen to fail: with errors as Rust makes them, whose frames end in this package.
  test("errors are thrown, with the caller on their stacks", () => {
    const { kv } = store
    for (const call of [
      () => kv.getSync(["a", null]),
      () => kv.getSync([]),
      () => kv.getManySync([["a"], [{}]]),
      () => kv.getManySync("a"),
    ]) {
      assert.throws(call, (error) => {
        assert.ok(error instanceof KvError)
        assert.equal(error.code, "INVALID_ARGUMENT")
        assert.match(error.stack.split("\n").slice(0, 4).join("\n"), /sync-reads\.js/)
        return true
      })
    }
    assert.throws(() => kv.getManySync([["a"], ["b", {}]]), /^KvError: keys\[1\]/)
  })

  test("a closed Kv reads nothing", async () => {
    await store.kv.set(["a"], 1)
    const closing = store.kv.close()
    for (const call of [() => store.kv.getSync(["a"]), () => store.kv.getManySync([["a"]])])
      await refused(call, "CLOSED")
    await closing
  })

  test("a collection reads by its ids", async () => {
    const users = store.kv.collection(["users"])
    await users.set(1, "Ada")
    await users.set(["x", 2], "Bob")
    assert.deepEqual(users.getSync(1), await users.get(1))
    assert.deepEqual(users.getManySync([["x", 2], 1, 5]), await users.getMany([["x", 2], 1, 5]))
    await refused(() => users.getManySync(5), "INVALID_ARGUMENT", /keys/)
  })

  test("they count as gets", async () => {
    const gets = async () => (await store.kv.metrics()).operations.get?.count ?? 0
    const before = await gets()
    store.kv.getSync(["a"])
    store.kv.getManySync([["a"], ["b"]])
    assert.equal((await gets()) - before, 3)
  })
}
