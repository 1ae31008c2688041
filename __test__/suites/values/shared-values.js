/**
 * What holds itself or one object twice, holes, boxed primitives and `undefined`, by every call that changes
 * or finds a value.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { plant } from "../../../dist/testing.js"
import { collect, keysOf, valuesOf } from "../../support/assert.js"
import { graphs, shapeOf } from "../../support/graphs.js"
import { counts, Listener } from "../../support/listener.js"
import { useStore } from "../../support/store.js"

// biome-ignore lint/suspicious/noSparseArray: they are values
const holes = [, 1]

function same(read, expected) {
  assert.deepEqual(read, expected)
  assert.deepEqual(shapeOf(read), shapeOf(expected))
}

/** `{ billing, shipping }`, which are one. */
function order(n, city = "Paris") {
  const address = { city, zip: n, lines: ["a", { b: n }] }
  return { n, billing: address, shipping: address, all: [address, [address]] }
}

function ring(name) {
  const value = { name, list: [] }
  value.self = value
  value.list.push(value, { up: value })
  return value
}

export function sharedValues(target) {
  const store = useStore(target)
  const stored = async (key) => (await store.kv.get(key)).value

  // Seen to fail: each array was joined as text, so that the references of one led into the other.
  test("append and prepend keep what is one", async () => {
    const { kv } = store
    const [first, second] = [order(1), ring("r")]
    await kv.set(["a"], [first, first])
    await kv.atomic().append(["a"], [second, second.self, second.list]).commit()
    await kv
      .atomic()
      .prepend(["a"], [[{}], first])
      .commit()
    const [read, expected] = [await stored(["a"]), order(1)]
    same(read, [[{}], expected, ...[1, 1].fill(order(1)), ...((one) => [one, one, one.list])(ring("r"))])
    assert.ok(read[1] !== read[2] && read[2] === read[3] && read[4] === read[5] && read[4].list === read[6])
    const own = [1]
    own.push(own, [own])
    await kv.set(["own"], own)
    await kv.atomic().append(["own"], [2]).commit()
    await kv
      .atomic()
      .prepend(["own"], [[0]])
      .commit()
    const grown = await stored(["own"])
    assert.ok(grown.length === 5 && grown[2] === grown && grown[3][0] === grown)
    await kv
      .atomic()
      .append(["holes"], holes)
      .append(["holes"], [Object("b"), ...new Array(1)])
      .commit()
    const { length, 0: hole, 2: boxed } = await stored(["holes"])
    assert.deepEqual([length, hole, boxed], [4, undefined, Object("b")])
    assert.deepEqual(Object.keys(await stored(["holes"])), ["1", "2", "3"])
  })

  test("a patch changes one place of what is shared, and loses nothing of the others", async () => {
    const { kv } = store
    await kv.set(["o"], order(7))
    await kv.patch(["o"], { billing: { city: "Rome" }, n: null, more: [{}] })
    const read = await stored(["o"])
    assert.deepEqual(read.billing, { city: "Rome", zip: 7, lines: ["a", { b: 7 }] })
    assert.ok(
      read.shipping.city === "Paris" && read.shipping === read.all[0] && read.all[1][0] === read.shipping,
    )
    assert.ok(read.billing.lines === read.shipping.lines)
    await kv.patch(["o"], { billing: null, shipping: null })
    const left = await stored(["o"])
    assert.deepEqual(left.all[0], { city: "Paris", zip: 7, lines: ["a", { b: 7 }] })
    assert.equal(left.all[0] === left.all[1][0], true)
  })

  test("no patch is merged into a cycle; another value takes its place", async () => {
    const { kv } = store
    await kv.set(["r"], ring("r"))
    const refusal = { code: "TYPE_MISMATCH", message: /^key \["r"\]: the stored value holds a cycle/ }
    await assert.rejects(kv.patch(["r"], { name: "new" }), refusal)
    await assert.rejects(kv.atomic().sum(["r"], 1n).commit(), { code: "TYPE_MISMATCH" })
    await assert.rejects(kv.atomic().append(["r"], [1]).commit(), { code: "TYPE_MISMATCH" })
    same(await stored(["r"]), ring("r"))
    await kv.patch(["r"], 5)
    assert.equal(await stored(["r"]), 5)
    await assert.rejects(kv.patch(["r"], ring("r")), { code: "INVALID_ARGUMENT", message: /^patch.*cycle/ })
    await assert.rejects(async () => kv.patch(["r"], undefined), {
      code: "INVALID_ARGUMENT",
      message: /^patch/,
    })
  })

  test("a transaction reads its own writes as they will be stored", async () => {
    const { kv } = store
    await kv.set(["o"], order(1))
    await kv.set(["r"], ring("r"))
    const own = [ring("x"), 1]
    own.push(own)
    await kv.set(["own"], own)
    const keys = [["o"], ["own"], ["u"], ["n"]]
    let seen
    await kv.transaction(async (tx) => {
      tx.patch(["o"], { shipping: { city: "Rome" } })
      tx.append(["own"], holes).prepend(["own"], [ring("y")])
      tx.set(["u"], undefined)
      tx.set(["n"], undefined).patch(["n"], { a: 1 })
      seen = (await tx.getMany(keys)).map(({ value }) => value)
      tx.delete(["gone"])
      assert.equal((await tx.get(["gone"])).value, null)
    })
    const after = (await kv.getMany(keys)).map(({ value }) => value)
    for (const [at, value] of after.entries()) same(seen[at], value)
    assert.ok(after[1].length === 6 && after[1][3] === after[1])
    await assert.rejects(
      kv.transaction(async (tx) => {
        tx.patch(["r"], { a: 1 })
        await tx.get(["r"])
      }),
      { code: "TYPE_MISMATCH" },
    )
  })

  // What a transaction shows of its writes is made in JavaScript, what is stored in Rust.
  test("append, prepend and patch of any graph make what the transaction showed", async () => {
    const { kv } = store
    const patches = [{ a: { a: 1, b: null } }, { a: null, 7: [[{}]] }, { b: { a: { value: 1 } }, ref: [] }]
    for (const [at, value] of fc.sample(graphs, { numRuns: 200, seed: 5 }).entries()) {
      await kv.set(["list"], [value, [value]])
      await kv.set(["object"], { a: value, b: value })
      await compared(["list"], (tx, key) => tx.append(key, [value, holes]).prepend(key, [[value]]))
      // Most of the graphs hold themselves.
      await compared(["object"], (tx, key) => tx.patch(key, patches[at % patches.length])).catch((error) => {
        assert.equal(error.code, "TYPE_MISMATCH", error.stack)
      })
    }

    async function compared(key, change) {
      const { value: shown } = await kv.transaction(async (tx) => {
        change(tx, key)
        return (await tx.get(key)).value
      })
      assert.deepEqual(shapeOf(await stored(key)), shapeOf(shown))
    }
  })

  // Seen to fail: a filter took a reference for an object without members, and an index left it out.
  for (const how of ["without an index", "with an index"])
    test(`a filter looks through references, ${how}`, async () => {
      const { kv } = store
      const fields = ["shipping.city", "shipping.zip", "all[1][0].city", "self.name"]
      if (how === "with an index") for (const on of fields) await kv.createIndex(["o"], { on: [on] })
      for (let n = 0; n < 10; n++) await kv.set(["o", n], order(n, n % 2 ? "Paris" : "Rome"))
      await kv.set(["o", "ring"], ring("r"))
      const found = async (where) => (await keysOf(kv, ["o"], { where })).map(([, n]) => n)
      assert.deepEqual(await found({ "shipping.city": "Rome", "shipping.zip": { $gte: 4 } }), [4, 6, 8])
      assert.deepEqual(await found({ all: { $notContains: 1 }, "all[1][0].city": "Paris" }), [1, 3, 5, 7, 9])
      assert.deepEqual(await found({ "self.self.self.name": "r" }), ["ring"])
      assert.deepEqual(await found({ "self.list[1].up.name": { $startsWith: "r" } }), ["ring"])
      assert.deepEqual(
        await found({ self: { $null: true } }),
        Array.from({ length: 10 }, (_, n) => n),
      )
      assert.deepEqual(await found({ "shipping.lines": { $contains: "a" }, n: 3 }), [3])
      assert.deepEqual(await found({ "all[1]": { $empty: true } }), ["ring"])
      assert.equal(await kv.count(["o"], { where: { "shipping.lines[1].b": { $in: [1, 2] } } }), 2)
      const deleted = await kv.delete({ prefix: ["o"] }, { where: { "shipping.city": "Rome" } })
      assert.equal(deleted.deletedCount, 5)
      const plan = await kv.explain(["o"], { "shipping.city": "Paris" })
      assert.equal(plan.index !== null, how === "with an index")
    })

  test("arrays are compared with what their references lead to", async () => {
    const { kv } = store
    const pair = { a: 1 }
    await kv.set(["p", 1], { list: [pair, pair] })
    await kv.set(["p", 2], { list: [pair, { a: 2 }] })
    const loop = []
    loop.push(loop)
    await kv.set(["p", 3], { list: [loop, loop] })
    const found = async (where) => (await keysOf(kv, ["p"], { where })).map(([, n]) => n)
    assert.deepEqual(await found({ list: { $eq: [{ a: 1 }, { a: 1 }] } }), [1])
    assert.deepEqual(await found({ list: { $eq: [[[[[]]]], [[[[]]]]] } }), [])
    assert.deepEqual(await found({ list: { $eq: [[], []] } }), [])
  })

  test("holes are absent, and boxed primitives equal nothing that is not boxed", async () => {
    const { kv } = store
    await kv.set(["h", 1], { list: holes, box: Object("b"), n: Object(5) })
    const found = async (where) => (await keysOf(kv, ["h"], { where })).length
    assert.equal(await found({ "list[0]": { $null: true }, "list[1]": 1 }), 1)
    assert.equal(await found({ box: "b" }), 0)
    assert.equal(await found({ n: { $gte: 0 } }), 0)
    await kv.createIndex(["h"], { on: ["box"] })
    await kv.createIndex(["h"], { on: ["n"] })
    assert.equal(await found({ box: "b" }), 0)
    assert.equal(await found({ n: 5 }), 0)
    assert.equal(await found({ box: { $ne: "b" }, n: { $ne: 5 } }), 1)
  })

  test("a search finds the words of a shared object where it stands first", async () => {
    const { kv } = store
    await kv.createIndex(["o"], { fields: ["billing", "shipping"] })
    await kv.set(["o", 1], order(1))
    assert.deepEqual((await collect(kv.search(["o"], "paris"))).length, 1)
    await kv.patch(["o", 1], { billing: null })
    assert.deepEqual((await collect(kv.search(["o"], "paris"))).length, 1)
  })

  // Seen to fail: "value: undefined cannot be stored".
  test("undefined is a value: it is there, and has a versionstamp", async () => {
    const { kv } = store
    const { versionstamp } = await kv.set(["u"], undefined)
    const entry = { key: ["u"], value: undefined, versionstamp }
    assert.deepEqual(await kv.get(["u"]), entry)
    assert.deepEqual(await kv.getMany([["u"], ["none"]]), [
      entry,
      { key: ["none"], value: null, versionstamp: null },
    ])
    assert.deepEqual(await collect(kv.list({ prefix: [] })), [entry])
    assert.deepEqual((await kv.paginate([])).entries, [entry])
    assert.equal(await kv.count([], { where: { $null: true } }), 1)
    assert.equal(await kv.count([], { where: { $not: { $null: true } } }), 0)
    assert.equal(await kv.count([], { where: { a: { $null: true } } }), 1)
    await assert.rejects(kv.atomic().sum(["u"], 1n).commit(), { code: "TYPE_MISMATCH" })
    await assert.rejects(kv.atomic().append(["u"], [1]).commit(), { code: "TYPE_MISMATCH" })
    assert.equal((await kv.atomic().check(entry).set(["u"], undefined).commit()).ok, true)
    await kv.setMany([{ key: ["m"], value: undefined }])
    await kv
      .atomic()
      .mutate({ type: "set", key: ["mutated"], value: undefined })
      .commit()
    assert.deepEqual(await valuesOf(kv, { prefix: [] }), [undefined, undefined, undefined])
    // A value that was forgotten is not one.
    const forgotten = { code: "INVALID_ARGUMENT", message: /it has no value/ }
    await assert.rejects(kv.setMany([{ key: ["m"] }]), forgotten)
    assert.throws(() => kv.atomic().mutate({ type: "set", key: ["m"] }), forgotten)
    await kv.transaction(async (tx) => {
      assert.deepEqual(await tx.get(["m"]), { ...(await kv.get(["m"])), value: undefined })
      tx.set(["t"], undefined)
      assert.equal((await tx.get(["t"])).value, undefined)
    })
    await kv.patch(["u"], { a: 1 })
    assert.deepEqual(await stored(["u"]), { a: 1 })
  })

  test("a watch, the changes and a collection give undefined", async () => {
    const { kv } = store
    await kv.set(["w"], undefined)
    const watch = kv.watch(["w"])
    const { value: batch } = await watch.next()
    assert.ok(batch.entries[0].value === undefined && batch.entries[0].versionstamp !== null)
    await watch.return()
    const schema = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } }
    const items = kv.collection(["c"], schema)
    await items.set("a", undefined)
    assert.equal((await items.get("a")).value, undefined)
    assert.notEqual((await items.get("a")).versionstamp, null)
  })

  test("the change log has such values", async () => {
    const kv = store.another({ changeLog: "values" })
    await kv.set(["u"], undefined)
    await kv.set(["r"], ring("r"))
    const changes = await collect(kv.changes())
    const [first, second] = changes.slice(-2)
    assert.deepEqual([Object.hasOwn(first, "value"), first.value], [true, undefined])
    same(second.value, ring("r"))
  })

  // Seen to fail: a listener took a message that is undefined for one that is damaged.
  test("a message that is undefined is handled, and its dead letter tells it from a damaged one", async () => {
    const { kv } = store
    await kv.enqueue(undefined)
    const listener = new Listener(kv)
    const message = await listener.next()
    assert.deepEqual([Object.hasOwn(message, "value"), message.value], [true, undefined])
    await counts(kv, { pending: 0, processing: 0, dlq: 0 })
    await listener.stop()
    await kv.enqueue(undefined, { backoffSchedule: [], keysIfUndelivered: [["k"]] })
    const failing = new Listener(kv, () => Promise.reject(new Error("no")))
    await counts(kv, { pending: 0, processing: 0, dlq: 1 })
    await failing.stop()
    const [letter] = await kv.dlq.list()
    assert.deepEqual(
      [Object.hasOwn(letter, "value"), letter.value, letter.errorMessage],
      [true, undefined, "no"],
    )
    assert.deepEqual(await stored(["k"]), undefined)
    assert.equal((await kv.dlq.requeue(letter.id)).ok, true)
  })

  // Seen to fail: the message was that of any unknown encoding, and the code of a mutation UNSUPPORTED.
  test("what V8 has serialised cannot be read, matched or changed, and is named", async () => {
    const { kv } = store
    await plant(kv, ["v"], Buffer.from([255, 15, 111, 123, 0]), 4)
    const unread = { code: "UNSUPPORTED", message: /V8's own format \(encoding 4\)/ }
    await assert.rejects(kv.get(["v"]), unread)
    await assert.rejects(collect(kv.list({ prefix: [] })), unread)
    assert.equal(await kv.count([], { where: { $null: true } }), 0)
    assert.equal(await kv.count([]), 1)
    const unchanged = { code: "TYPE_MISMATCH", message: /V8's own format/ }
    await assert.rejects(kv.patch(["v"], { a: 1 }), unchanged)
    await assert.rejects(kv.atomic().sum(["v"], 1n).commit(), unchanged)
    await assert.rejects(kv.atomic().append(["v"], [1]).commit(), unchanged)
    assert.deepEqual(await keysOf(kv, { prefix: [] }, { keysOnly: true }), [["v"]])
    assert.equal((await kv.delete(["v"])).deletedCount, 1)
  })
}
