import assert from "node:assert/strict"
import { test } from "node:test"
import { refused, snapshot } from "../../support/assert.js"
import { T0, useStore } from "../../support/store.js"

export function kvNow(target) {
  const store = useStore(target)

  test("is the store's time in arithmetic, read when it is used", () => {
    store.at(T0)
    const time = store.kv.now()
    assert.equal(+time, T0)
    assert.equal(time - 5, T0 - 5)
    assert.equal(time.valueOf(), T0)
    assert.equal(time.toJSON(), T0)
    assert.equal(time > T0 - 1, true)
    store.at(T0 + 10)
    assert.equal(+time, T0 + 10)
  })

  test("is the machine's time while the clock is not frozen", () => {
    const before = Date.now()
    const time = Number(store.kv.now())
    assert.ok(before <= time && time <= Date.now())
    store.at(T0)
    store.at(null)
    assert.ok(Math.abs(store.kv.now() - Date.now()) < 10_000)
  })

  test("add and sub move it by durations, and leave it as it was", () => {
    store.at(T0)
    const time = store.kv.now()
    assert.equal(+time.add("24h"), T0 + 86_400_000)
    assert.equal(+time.sub("24h"), T0 - 86_400_000)
    assert.equal(+time.add(5).add("1s").sub("2ms"), T0 + 1003)
    assert.equal(+time, T0)
  })

  test("as a stored value it is a number of milliseconds, with its offset", async () => {
    store.at(T0)
    const time = store.kv.now()
    const value = { at: time, list: [time.sub("1h")], map: new Map([["later", time.add(1)]]) }
    const stored = { at: T0, list: [T0 - 3_600_000], map: new Map([["later", T0 + 1]]) }
    await store.kv.set(["inside"], value)
    await store.kv.set(["alone"], time.add("1d"))
    await store.kv
      .atomic()
      .set(["atomic"], value)
      .append(["list"], [time.sub(1)])
      .commit()
    await store.kv.setMany([{ key: ["many"], value: time }])
    await store.kv.transaction((tx) => void tx.set(["tx"], time))
    const seen = (await snapshot(store.kv)).map((entry) => [entry.key[0], entry.value])
    assert.deepEqual(Object.fromEntries(seen), {
      alone: T0 + 86_400_000,
      atomic: stored,
      inside: stored,
      list: [T0 - 1],
      many: T0,
      tx: T0,
    })
  })

  test("has a tag, and refuses what is no duration", async () => {
    const time = store.kv.now()
    assert.equal(time[Symbol.toStringTag], "KvNow")
    for (const call of ["add", "sub"]) {
      for (const duration of ["", "5", "1 hour ago", "-1h", Number.NaN, {}, null, undefined]) {
        await refused(() => time[call](duration), "INVALID_ARGUMENT", /duration/)
      }
    }
  })

  test("is no part of a key", async () => {
    await refused(() => store.kv.set(["k", store.kv.now()], 1), "INVALID_ARGUMENT")
  })
}
