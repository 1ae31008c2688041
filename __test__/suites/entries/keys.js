import assert from "node:assert/strict"
import { test } from "node:test"
import { absent, collect, keysOf, STAMP } from "../../support/assert.js"
import { Random } from "../../support/random.js"
import { useStore } from "../../support/store.js"
import { ordered, vectors } from "../../support/tables/key-vectors.js"

const LIMITS = [
  ["20 parts", Array.from({ length: 20 }, (_, at) => at)],
  ["1024 code units", ["x".repeat(1024)]],
  ["1024 code units that are 2048 bytes", ["é".repeat(1024)]],
  ["512 pairs of surrogates", ["😀".repeat(512)]],
  ["1024 bytes", [new Uint8Array(1024).fill(7)]],
  ["1024 bytes of zero, which are escaped", [new Uint8Array(1024)]],
  ["a bigint of 1024 bytes", [2n ** 8192n - 1n]],
  ["a negative bigint of 1024 bytes", [-(2n ** 8192n - 1n)]],
]

export function keys(target) {
  const store = useStore(target)

  test("every key of the vectors is found again, as it was written", async () => {
    await store.kv.setMany(vectors.map(({ key }, at) => ({ key, value: at })))
    for (const [at, { key }] of vectors.entries()) {
      const entry = await store.kv.get(key)
      assert.deepEqual(entry, { key, value: at, versionstamp: entry.versionstamp })
    }
    assert.equal(await store.kv.count({ prefix: [] }), vectors.length)
  })

  test("a list gives the documented order, whatever the order of writing", async () => {
    const entries = new Random(11).shuffle(ordered).map((key) => ({ key, value: 0 }))
    await store.kv.setMany(entries)
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }), ordered)
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }, { reverse: true }), ordered.toReversed())
  })

  test("parts of different types never meet", async () => {
    const parts = ["1", 1, 1n, true, Uint8Array.of(1), Uint8Array.of(0x31), "true", "1n", -1, -1n, false]
    for (const [at, part] of parts.entries()) await store.kv.set(["k", part], at)
    for (const [at, part] of parts.entries()) assert.equal((await store.kv.get(["k", part])).value, at)
    assert.equal(await store.kv.count(["k"]), parts.length)
  })

  test("0 and -0 are two keys, every NaN is one", async () => {
    await store.kv.set([0], "zero")
    await store.kv.set([-0], "minus zero")
    await store.kv.set([Number.NaN], "nan")
    assert.equal((await store.kv.get([0])).value, "zero")
    assert.equal((await store.kv.get([-0])).value, "minus zero")
    assert.equal((await store.kv.get([0 * Number.POSITIVE_INFINITY])).value, "nan")
  })

  test("canonically equal strings are different keys", async () => {
    await store.kv.set(["é"], "composed")
    assert.deepEqual(await store.kv.get(["e\u0301"]), absent(["e\u0301"]))
  })

  test("a Buffer or a view is bytes, and reads back as a Uint8Array", async () => {
    const view = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4)
    await store.kv.set(["k", view], "view")
    await store.kv.set(["k", Buffer.from([4, 5])], "buffer")
    const [first, second] = await collect(store.kv.list(["k"]))
    assert.deepEqual(first.key[1], Uint8Array.of(1, 2, 3))
    assert.deepEqual(second.key[1], Uint8Array.of(4, 5))
    assert.equal(Object.getPrototypeOf(second.key[1]), Uint8Array.prototype)
    assert.equal((await store.kv.get(["k", Uint8Array.of(1, 2, 3)])).value, "view")
  })

  test("a key is read when it is passed", async () => {
    const bytes = Uint8Array.of(1)
    const key = ["k", bytes]
    const write = store.kv.set(key, 1)
    const read = store.kv.get(key)
    const atomic = store.kv.atomic().set(key, 2)
    bytes[0] = 2
    key.push("more")
    assert.deepEqual((await read).key, ["k", Uint8Array.of(1)])
    await write
    await atomic.commit()
    assert.deepEqual(await keysOf(store.kv, { prefix: [] }), [["k", Uint8Array.of(1)]])
  })

  test("a list gives whole keys under every prefix", async () => {
    const parts = ["a", 1, 2n, true, Uint8Array.of(0, 255), Number.NaN, -0, Number.NEGATIVE_INFINITY]
    await store.kv.setMany(parts.map((_, at) => ({ key: [...parts.slice(at), ...parts], value: at })))
    for (const [at] of parts.entries()) {
      const key = [...parts.slice(at), ...parts]
      for (const length of key.keys()) {
        const prefix = key.slice(0, length)
        for (const options of [{}, { keysOnly: true }]) {
          const found = await keysOf(store.kv, prefix, options)
          assert.ok(found.length > 0)
          for (const one of found) assert.deepEqual(one.slice(0, length), prefix)
          if (at === 0 && length > 0) assert.deepEqual(found, [key])
        }
      }
    }
  })

  // Seen to fail: give every key of a list the parts of its prefix as they are.
  test("keys of a list share nothing with each other or with the prefix", async () => {
    const bytes = Uint8Array.of(7)
    await store.kv.setMany([1, 2].map((at) => ({ key: ["k", bytes, at], value: at })))
    const prefix = ["k", Buffer.from(bytes)]
    const iterator = store.kv.list(prefix)
    prefix[1][0] = 9
    prefix.push("more")
    const [first, second] = await collect(iterator)
    assert.deepEqual(
      [first.key, second.key],
      [
        ["k", bytes, 1],
        ["k", bytes, 2],
      ],
    )
    assert.equal(Object.getPrototypeOf(first.key[1]), Uint8Array.prototype)
    first.key[1][0] = 8
    assert.deepEqual(second.key[1], bytes)
  })

  for (const [name, key] of LIMITS) {
    test(`a key at its limit: ${name}`, async () => {
      const { versionstamp } = await store.kv.set(key, 1)
      assert.match(versionstamp, STAMP)
      assert.deepEqual(await store.kv.get(key), { key, value: 1, versionstamp })
      assert.deepEqual(await keysOf(store.kv, { prefix: [] }), [key])
    })
  }

  test("all limits in one key", async () => {
    const key = Array.from({ length: 20 }, (_, at) => (at % 2 ? new Uint8Array(1024) : "é".repeat(1024)))
    await store.kv.set(key, 1)
    assert.deepEqual((await store.kv.get(key)).key, key)
    assert.deepEqual(await keysOf(store.kv, key.slice(0, 19)), [key])
  })
}
