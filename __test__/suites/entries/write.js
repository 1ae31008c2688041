import assert from "node:assert/strict"
import { test } from "node:test"
import { absent, keysOf, refused, STAMP, snapshot } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

const TREE = [["a"], ["a", 1], ["a", 1, "x"], ["a", 2], ["ab"], ["b"], ["b", 1]]

export function write(target) {
  const store = useStore(target)

  async function plant() {
    for (const key of TREE) await store.kv.set(key, "v")
  }

  /** Deletes in the tree; what must go is given as places in `TREE`. */
  function deletes(name, target, options, gone) {
    test(`delete: ${name}`, async () => {
      await plant()
      const result = await store.kv.delete(target, options)
      assert.deepEqual(result, { success: true, deletedCount: gone.length })
      assert.deepEqual(
        await keysOf(store.kv, { prefix: [] }),
        TREE.filter((_, at) => !gone.includes(at)),
      )
      assert.deepEqual(await store.kv.delete(target, options), { success: true, deletedCount: 0 })
    })
  }

  test("set gives ok and a versionstamp, and replaces the entry", async () => {
    const first = await store.kv.set(["a"], 1)
    assert.deepEqual(first, { ok: true, versionstamp: first.versionstamp })
    assert.match(first.versionstamp, STAMP)
    const second = await store.kv.set(["a"], { other: "type" })
    assert.ok(second.versionstamp > first.versionstamp)
    assert.deepEqual(await store.kv.get(["a"]), {
      key: ["a"],
      value: { other: "type" },
      versionstamp: second.versionstamp,
    })
  })

  test("setting the same value again is a new commit", async () => {
    const first = await store.kv.set(["a"], 1)
    const second = await store.kv.set(["a"], 1)
    assert.ok(second.versionstamp > first.versionstamp)
    assert.equal((await store.kv.get(["a"])).versionstamp, second.versionstamp)
  })

  test("versionstamps follow the order in which writes were issued", async () => {
    const writes = Array.from({ length: 200 }, (_, at) => store.kv.set(["n", at % 7], at))
    const stamps = (await Promise.all(writes)).map(({ versionstamp }) => versionstamp)
    assert.deepEqual(stamps, [...stamps].sort())
    assert.equal(new Set(stamps).size, stamps.length)
    for (let at = 193; at < 200; at++) assert.equal((await store.kv.get(["n", at % 7])).value, at)
  })

  // Law 9. Seen to fail: take the clock's time instead of the larger of it and the last one.
  test("versionstamps grow when the clock stops or steps back", async () => {
    const stamps = []
    for (const time of [T0, T0, T0, T0 - 60_000, 1, T0 - 60_000, T0 + 1]) {
      store.at(time)
      stamps.push((await store.kv.set(["a"], time)).versionstamp)
      stamps.push((await store.kv.atomic().commit()).versionstamp)
    }
    assert.deepEqual(stamps, [...new Set(stamps)].sort())
    const ms = (stamp) => Number.parseInt(stamp.replaceAll("-", "").slice(0, 12), 16)
    assert.equal(ms(stamps[0]), T0)
    assert.equal(ms(stamps.at(-1)), T0 + 1)
  })

  deletes("a key takes itself and what is under it", ["a"], undefined, [0, 1, 2, 3])
  deletes("a key that does not exist takes what is under it", ["a", 1, "x"], {}, [2])
  deletes("exact takes the key alone", ["a"], { exact: true }, [0])
  deletes("exact of a key that does not exist", ["c"], { exact: true }, [])
  deletes("exact: false is the default", ["b"], { exact: false }, [5, 6])
  deletes("keys, each with what is under it", [["b"], ["a", 1]], {}, [1, 2, 5, 6])
  deletes(
    "keys that cover one another are counted once",
    [["a", 1], ["a"], ["a"], ["a", 1, "x"]],
    {},
    [0, 1, 2, 3],
  )
  deletes("exact keys", [["b"], ["a"], ["c"]], { exact: true }, [0, 5])
  deletes("one key in a list", [["ab"]], {}, [4])
  deletes("a prefix takes its descendants, not itself", { prefix: ["a"] }, {}, [1, 2, 3])
  deletes("a range", { start: ["a", 1], end: ["b"] }, {}, [1, 2, 3, 4])
  deletes("a range in a prefix", { prefix: ["a"], start: ["a", 2] }, {}, [3])
  deletes("an end alone", { end: ["a", 1, "x"] }, {}, [0, 1])
  deletes("everything", { prefix: [] }, {}, [0, 1, 2, 3, 4, 5, 6])

  test("delete of nothing is refused", async () => {
    await plant()
    const before = await snapshot(store.kv)
    await refused(() => store.kv.delete([]), "INVALID_ARGUMENT")
    await refused(() => store.kv.delete({}), "INVALID_ARGUMENT")
    assert.deepEqual(await snapshot(store.kv), before)
  })

  test("a list of 1000 keys is deleted at once", async () => {
    const keys = Array.from({ length: 1000 }, (_, at) => ["n", at])
    await store.kv.setMany(keys.map((key) => ({ key, value: 0 })))
    assert.equal((await store.kv.delete(keys)).deletedCount, 1000)
    await refused(() => store.kv.delete([...keys, ["more"]]), "LIMIT_EXCEEDED", /1001/, /1000/)
  })

  test("a range may hold more than any other limit", async () => {
    await store.kv.setMany(Array.from({ length: 5000 }, (_, at) => ({ key: ["n", at], value: at })))
    await store.kv.set(["m"], 1)
    assert.equal((await store.kv.delete(["n"])).deletedCount, 5000)
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }), [["m"]])
  })

  test("a deleted key can be set again", async () => {
    await store.kv.set(["a"], 1)
    await store.kv.delete(["a"])
    assert.deepEqual(await store.kv.get(["a"]), absent(["a"]))
    const { versionstamp } = await store.kv.set(["a"], 2)
    assert.deepEqual(await store.kv.get(["a"]), { key: ["a"], value: 2, versionstamp })
  })

  test("touch changes the time to live and nothing else", async () => {
    store.at(T0)
    const { versionstamp } = await store.kv.set(["a"], { v: 1 })
    assert.deepEqual(await store.kv.touch(["a"], { expiresIn: "1m" }), { ok: true })
    const entry = { key: ["a"], value: { v: 1 }, versionstamp, expiresAt: T0 + 60_000 }
    assert.deepEqual(await store.kv.get(["a"]), entry)
    await store.kv.touch(["a"], { expireIn: 1 })
    assert.equal((await store.kv.get(["a"])).expiresAt, T0 + 1)
  })

  test("touch of an absent key is not ok, and creates nothing", async () => {
    await store.kv.set(["a", "b"], 1)
    assert.deepEqual(await store.kv.touch(["a"], { expiresIn: "1m" }), { ok: false })
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }), [["a", "b"]])
  })

  test("touch takes the key alone", async () => {
    await store.kv.set(["a"], 1)
    await store.kv.set(["a", "b"], 1)
    await store.kv.touch(["a"], { expiresIn: "1m" })
    assert.equal("expiresAt" in (await store.kv.get(["a", "b"])), false)
  })

  test("a check holds after a touch", async () => {
    await store.kv.set(["a"], 1)
    const entry = await store.kv.get(["a"])
    await store.kv.touch(["a"], { expiresIn: "1m" })
    assert.equal((await store.kv.atomic().check(entry).set(["a"], 2).commit()).ok, true)
  })

  test("a set with placeholders: the commit's versionstamp as the last part, one uuid", async () => {
    const { kv } = store
    const first = await kv.set(["log", kv.commitVersionstamp()], 1)
    const second = await kv.set(["log", kv.commitVersionstamp()], 2)
    assert.deepEqual(await keysOf(kv, ["log"]), [
      ["log", first.versionstamp],
      ["log", second.versionstamp],
    ])
    await kv.set(["id", kv.uuidv7(), "x"], { id: kv.uuidv7(), list: [kv.uuidv7()] })
    const [{ key, value }] = (await kv.paginate(["id"])).entries
    assert.match(key[1], STAMP)
    assert.deepEqual(value, { id: key[1], list: [key[1]] })
  })
}
