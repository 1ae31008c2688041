import assert from "node:assert/strict"
import { test } from "node:test"
import { KvError } from "@buntime/keyval"
import { keysOf, refused, snapshot, valuesOf } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

const MIB = 1024 * 1024

function entry(at) {
  return { key: ["n", at], value: at }
}

function upTo(count) {
  return Array.from({ length: count }, (_, at) => at)
}

function* generate(count) {
  for (const at of upTo(count)) yield entry(at)
}

async function* generateLater(count) {
  for (const at of upTo(count)) {
    if (at % 100 === 0) await null
    yield entry(at)
  }
}

const SOURCES = {
  "an array": (count) => upTo(count).map(entry),
  "an iterable": generate,
  "an async iterable": generateLater,
  "a map's values": (count) => new Map(upTo(count).map((at) => [at, entry(at)])).values(),
}

export function setMany(target) {
  const store = useStore(target)

  for (const [name, source] of Object.entries(SOURCES)) {
    test(`loads ${name}`, async () => {
      assert.deepEqual(await store.kv.setMany(source(2500)), { count: 2500 })
      assert.deepEqual(await valuesOf(store.kv, ["n"]), upTo(2500))
    })
  }

  test("of nothing", async () => {
    assert.deepEqual(await store.kv.setMany([]), { count: 0 })
    assert.deepEqual(await snapshot(store.kv), [])
  })

  test("the last of equal keys is stored", async () => {
    const entries = upTo(2500).map((at) => ({ key: ["n", at % 10], value: at }))
    assert.deepEqual(await store.kv.setMany(entries), { count: 2500 })
    assert.deepEqual(
      await valuesOf(store.kv, ["n"]),
      upTo(10).map((at) => 2490 + at),
    )
  })

  test("times to live of each entry, in both spellings", async () => {
    store.at(T0)
    await store.kv.setMany([
      { key: ["a"], value: 1, expiresIn: "1s" },
      { key: ["b"], value: 1, expireIn: 2 },
      { key: ["c"], value: 1 },
    ])
    const times = (await snapshot(store.kv)).map(({ expiresAt }) => expiresAt)
    assert.deepEqual(times, [T0 + 1000, T0 + 2, undefined])
  })

  test("onProgress receives growing counts up to the last, each of what is on disk", async () => {
    const counts = []
    await store.kv.setMany(generate(3500), { onProgress: ({ count }) => counts.push(count) })
    assert.equal(counts.at(-1), 3500)
    assert.ok(counts.length >= 4, "a commit holds at most 1000 entries")
    for (const [at, count] of counts.entries()) {
      const step = count - (counts[at - 1] ?? 0)
      assert.ok(step > 0 && step <= 1000, `a step of ${step}`)
    }
  })

  test("a commit holds at most 4 MiB, and at least one entry", async () => {
    const sizes = [1, 1, 1, 1, 1, 5, 1, 3]
    const counts = []
    const entries = sizes.map((size, at) => ({ key: ["v", at], value: new Uint8Array(size * MIB).fill(at) }))
    await store.kv.setMany(entries, { onProgress: ({ count }) => counts.push(count) })
    let from = 0
    for (const count of counts) {
      const size = sizes.slice(from, count).reduce((sum, mib) => sum + mib, 0)
      assert.ok(size <= 4 || count === from + 1, `a commit of ${size} MiB`)
      from = count
    }
    assert.deepEqual(
      (await valuesOf(store.kv, ["v"])).map(({ length }) => length / MIB),
      sizes,
    )
  })

  test("does not read far ahead of what is on disk", async () => {
    let given = 0
    let written = 0
    let ahead = 0
    function* watched() {
      for (; given < 20_000; given++) {
        ahead = Math.max(ahead, given - written)
        yield entry(given)
      }
    }
    await store.kv.setMany(watched(), {
      onProgress({ count }) {
        written = count
      },
    })
    assert.ok(ahead <= 5000, `${ahead} entries were read ahead`)
  })

  test("an error of the source is passed on; the commits before it stay", async () => {
    const boom = new Error("boom")
    function* failing() {
      yield* generate(2500)
      throw boom
    }
    let reported = 0
    const load = store.kv.setMany(failing(), {
      onProgress({ count }) {
        reported = count
      },
    })
    await assert.rejects(load, (error) => error === boom)
    assert.ok(reported >= 1000)
    const values = await valuesOf(store.kv, ["n"])
    assert.ok(values.length >= reported && values.length <= 2500)
    assert.deepEqual(values, upTo(values.length))
  })

  test("a bad entry in the middle is refused with its place; the commits before it stay", async () => {
    const entries = [...generate(2500), { key: ["bad", null], value: 1 }, ...generate(1)]
    const error = await refused(() => store.kv.setMany(entries), "INVALID_ARGUMENT", /2500/)
    assert.ok(error instanceof KvError)
    const values = await valuesOf(store.kv, ["n"])
    assert.ok(values.length >= 2000 && values.length <= 2500, `${values.length} entries`)
    assert.deepEqual(values, upTo(values.length))
    assert.deepEqual(await keysOf(store.kv, ["bad"]), [])
  })

  test("the source is closed when a load fails", async () => {
    let closed = false
    function* source() {
      try {
        yield { key: ["a"], value: () => 0 }
        yield entry(1)
      } finally {
        closed = true
      }
    }
    await refused(() => store.kv.setMany(source()), "INVALID_ARGUMENT")
    assert.equal(closed, true)
  })

  test("an error that onProgress throws stops the load", async () => {
    const boom = new Error("boom")
    const load = store.kv.setMany(generate(10_000), {
      onProgress() {
        throw boom
      },
    })
    await assert.rejects(load, (error) => error === boom)
    const count = await store.kv.count(["n"])
    assert.ok(count >= 1000 && count < 10_000, `${count} entries`)
  })

  // Seen to fail: the rejection was nobody's, which ends a process, and the load went on.
  test("onProgress may be async: one call after another, and an error stops the load", async () => {
    const [counts, boom] = [[], new Error("boom")]
    let running = 0
    const load = store.kv.setMany(generate(6000), {
      async onProgress({ count }) {
        assert.equal(++running, 1)
        await new Promise((resolve) => setTimeout(resolve, 5))
        running--
        counts.push(count)
        if (count === 2000) throw boom
      },
    })
    await assert.rejects(load, (error) => error === boom)
    assert.deepEqual(counts, [1000, 2000])
    assert.ok((await valuesOf(store.kv, ["n"])).length < 6000)
  })

  test("placeholders", async () => {
    const { kv } = store
    await kv.setMany([
      { key: ["s", 1, kv.commitVersionstamp()], value: 1 },
      { key: ["u", kv.uuidv7()], value: kv.uuidv7() },
    ])
    const [stamped, named] = await snapshot(kv)
    assert.equal(stamped.key[2], stamped.versionstamp)
    assert.equal(named.key[1], named.value)
  })

  // Seen to fail: count a value with a placeholder as nothing, and keys not at all.
  test("splits what is large: values with placeholders, and keys", async () => {
    const { kv } = store
    const values = upTo(20).map((at) => ({ key: ["v", at], value: ["x".repeat(MIB), kv.uuidv7()] }))
    assert.deepEqual(await kv.setMany(values), { count: 20 })
    const part = "k".repeat(1000)
    const keys = upTo(1000).map((at) => ({ key: ["k", at, ...upTo(17).map(() => part)], value: at }))
    assert.deepEqual(await kv.setMany(keys), { count: 1000 })
    assert.equal(await kv.count({ prefix: [] }), 1020)
  })

  test("loads beside other writes", async () => {
    const loads = ["a", "b", "c"].map((name) =>
      store.kv.setMany(upTo(1500).map((at) => ({ key: [name, at], value: at }))),
    )
    const sums = upTo(50).map(() => store.kv.atomic().sum(["sum"], 1n).commit())
    await Promise.all([...loads, ...sums])
    assert.equal((await store.kv.get(["sum"])).value, 50n)
    for (const name of ["a", "b", "c"]) assert.equal(await store.kv.count([name]), 1500)
  })
}
