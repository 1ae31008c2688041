import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { inspect } from "node:util"
import { Kv } from "@buntime/keyval"
import { refused, snapshot } from "../../support/assert.js"
import { useStore } from "../../support/store.js"
import * as bad from "../../support/tables/bad-arguments.js"
import { mistakes } from "../../support/tables/mistakes.js"

/** Every call that takes one key. */
const KEY_CALLS = {
  get: (kv, key) => kv.get(key),
  getMany: (kv, key) => kv.getMany([["a"], key]),
  set: (kv, key) => kv.set(key, 1),
  setMany: (kv, key) => kv.setMany([{ key, value: 1 }]),
  delete: (kv, key) => kv.delete(key, { exact: true }),
  "delete of keys": (kv, key) => kv.delete([["a"], key]),
  touch: (kv, key) => kv.touch(key, { expiresIn: 1 }),
  check: (kv, key) => kv.atomic().check({ key, versionstamp: null }).set(["new"], 1).commit(),
  "atomic set": (kv, key) => kv.atomic().set(["new"], 1).set(key, 1).commit(),
  "atomic delete": (kv, key) => kv.atomic().delete(["a"]).delete(key).commit(),
  sum: (kv, key) => kv.atomic().delete(["a"]).sum(key, 1n).commit(),
  max: (kv, key) => kv.atomic().delete(["a"]).max(key, 1n).commit(),
  append: (kv, key) => kv.atomic().delete(["a"]).append(key, [1]).commit(),
  mutate: (kv, key) => kv.atomic().mutate({ type: "set", key, value: 1 }).commit(),
  "transaction get": (kv, key) => kv.transaction((tx) => tx.set(["new"], 1).get(key)),
  "transaction set": (kv, key) => kv.transaction((tx) => void tx.set(["new"], 1).set(key, 1)),
}

/** Every call that takes a prefix or a selector. */
const SELECTOR_CALLS = {
  list: (kv, selector) => kv.list(selector),
  count: (kv, selector) => kv.count(selector),
  paginate: (kv, selector) => kv.paginate(selector),
  delete: (kv, selector) => kv.delete(selector),
  "atomic delete": (kv, selector) => kv.atomic().set(["new"], 1).delete(selector).commit(),
}

/** Every call that takes a value. */
const VALUE_CALLS = {
  set: (kv, value) => kv.set(["k"], value),
  setMany: (kv, value) => kv.setMany([{ key: ["k"], value }]),
  "atomic set": (kv, value) => kv.atomic().set(["new"], 1).set(["k"], value).commit(),
  append: (kv, value) => kv.atomic().set(["new"], 1).append(["k"], [value]).commit(),
  prepend: (kv, value) => kv.atomic().set(["new"], 1).prepend(["k"], [value]).commit(),
  mutate: (kv, value) =>
    kv
      .atomic()
      .mutate({ type: "set", key: ["k"], value })
      .commit(),
  transaction: (kv, value) => kv.transaction((tx) => void tx.set(["new"], 1).set(["k"], value)),
}

/** Every call that takes a time to live. */
const TIME_CALLS = {
  set: (kv, options) => kv.set(["k"], 1, options),
  setMany: (kv, options) => kv.setMany([{ key: ["k"], value: 1, ...options }]),
  touch: (kv, options) => kv.touch(["a"], options),
  "atomic set": (kv, options) => kv.atomic().set(["k"], 1, options).commit(),
  sum: (kv, options) => kv.atomic().sum(["k"], 1n, options).commit(),
  append: (kv, options) => kv.atomic().append(["k"], [1], options).commit(),
  mutate: (kv, options) =>
    kv
      .atomic()
      .mutate({ type: "set", key: ["k"], value: 1, ...options })
      .commit(),
  transaction: (kv, options) => kv.transaction((tx) => void tx.set(["k"], 1, options)),
}

const NO_PLACEHOLDERS = [
  "get",
  "getMany",
  "delete",
  "touch",
  "check",
  "atomic delete",
  "sum",
  "append",
  "transaction get",
]

/**
 * Law 8: what is refused is refused before anything is written, with a `KvError` that names it.
 * Seen to fail: leave out a check of one argument; or apply a part of the commit before the bad one is found.
 */
export function entryRefusals(target) {
  const store = useStore(target, { per: "suite" })
  let before

  async function seeded() {
    if (!before) {
      await store.kv.setMany(
        ["a", "b"].flatMap((name) => [
          { key: [name], value: name },
          { key: [name, 1], value: 1 },
        ]),
      )
      await store.kv.touch(["b"], { expiresIn: "1y" })
      before = await snapshot(store.kv)
    }
    return store.kv
  }

  /** Does something for each row, and names the row that fails. */
  async function each(rows, work) {
    for (const [argument, ...expected] of rows) {
      try {
        await work(argument, expected)
      } catch (error) {
        throw new Error(`${inspect(argument)}: ${error.message}`, { cause: error })
      }
    }
  }

  /** One refused call, after which the store is as it was. */
  async function refuses(call, codes, ...said) {
    const kv = await seeded()
    await refused(() => call(kv), codes, ...said)
    assert.deepEqual(await snapshot(kv), before)
  }

  function refusesEach(name, calls, rows) {
    describe(name, () => {
      for (const [what, make, ...expected] of rows) {
        test(what, async () => {
          for (const [caller, call] of Object.entries(calls)) {
            try {
              await refuses((kv) => call(kv, make), ...expected)
            } catch (error) {
              throw new Error(`${caller}: ${error.message}`, { cause: error })
            }
          }
        })
      }
    })
  }

  refusesEach("keys", KEY_CALLS, [...bad.badKeys, ...bad.noKeys])
  const prefixes = bad.badKeys.map(([what, key, ...expected]) => [`a prefix with ${what}`, key, ...expected])
  refusesEach("selectors", SELECTOR_CALLS, [...bad.badSelectors, ...prefixes, ...bad.noKeys])
  const making = Object.entries(VALUE_CALLS).map(([name, call]) => [name, (kv, make) => call(kv, make())])
  refusesEach("values", Object.fromEntries(making), bad.badValues)

  for (const spelling of ["expiresIn", "expireIn"]) {
    const spelled = Object.entries(TIME_CALLS).map(([name, call]) => [
      name,
      (kv, time) => call(kv, { [spelling]: time }),
    ])
    // Seen to fail: a bad `expireIn` was called `expiresIn`.
    const called = new RegExp(`\\b${spelling}: `)
    const rows = bad.badTimes.map(([what, time, codes, ...said]) => [what, time, codes, called, ...said])
    refusesEach(spelling, Object.fromEntries(spelled), rows)
  }

  describe("operands", () => {
    for (const [what, operand, said] of bad.badOperands) {
      test(what, async () => {
        for (const type of ["sum", "max", "min"]) {
          await refuses(
            (kv) => kv.atomic().delete(["a"])[type](["n"], operand).commit(),
            "INVALID_ARGUMENT",
            said,
          )
          const data = { type, key: ["n"], value: operand }
          await refuses((kv) => kv.atomic().delete(["a"]).mutate(data).commit(), "INVALID_ARGUMENT", said)
        }
      })
    }
  })

  test("options of list", async () => {
    await each(bad.badListOptions, (options, expected) =>
      refuses((kv) => kv.list(["a"], options), ...expected),
    )
  })

  test("options of paginate", async () => {
    await each(bad.badPageOptions, (options, expected) =>
      refuses((kv) => kv.paginate(["a"], options), ...expected),
    )
  })

  describe("other mistakes", () => {
    for (const [name, call, ...expected] of mistakes) test(name, () => refuses(call, ...expected))
  })

  test("placeholders where nothing is written", async () => {
    for (const name of NO_PLACEHOLDERS) {
      await refuses((kv) => KEY_CALLS[name](kv, ["k", kv.uuidv7()]), "INVALID_ARGUMENT")
      await refuses((kv) => KEY_CALLS[name](kv, ["k", kv.commitVersionstamp()]), "INVALID_ARGUMENT")
    }
    await refuses((kv) => kv.list([kv.uuidv7()]), "INVALID_ARGUMENT")
  })

  test("options of new Kv", async () => {
    await each(bad.badOpenOptions, (options, expected) =>
      refused(() => target.open({ url: store.url }, options), ...expected),
    )
    await refused(() => new Kv(":memory:", "full"), "INVALID_ARGUMENT", /options/)
  })

  test("urls", async () => {
    await each(bad.badUrls, (url, expected) => refused(() => new Kv(url), ...expected))
  })

  test("an error names a path, never a stored or given value", async () => {
    const secret = "hunter2"
    const values = [{ password: secret, f: () => secret }, [secret, Symbol("s")], new Set([secret, () => 0])]
    const kv = await seeded()
    for (const value of values) {
      const error = await refused(() => kv.set(["k"], value), "INVALID_ARGUMENT")
      assert.doesNotMatch(error.message, /hunter2/)
    }
  })

  test("what the getter of a value throws is passed on as it is, and nothing is written", async () => {
    const kv = await seeded()
    const boom = new RangeError("boom")
    const value = {
      get a() {
        throw boom
      },
    }
    for (const call of Object.values(VALUE_CALLS)) {
      await assert.rejects(
        async () => call(kv, value),
        (error) => error === boom,
      )
    }
    assert.deepEqual(await snapshot(kv), before)
  })

  test("an option that is undefined is as good as not given", async () => {
    const kv = await seeded()
    const none = (...names) => Object.fromEntries(names.map((name) => [name, undefined]))
    const ttl = none("expiresIn", "expireIn")
    const listing = none("limit", "reverse", "start", "end", "cursor", "keysOnly", "batchSize", "where")
    await kv.get(["a"], none("consistency"))
    for await (const _ of kv.list({ prefix: [], ...none("start", "end") }, listing));
    await kv.paginate(["a"], none("limit", "cursor", "reverse", "where"))
    await kv.count(["a"], none("where"))
    await kv.set(["k"], 1, ttl)
    await kv.setMany([{ key: ["k"], value: 1, ...ttl }], none("onProgress"))
    await kv.patch(["k"], {}, none("versionstamp", "expiresIn"))
    await kv.delete(["k"], none("exact", "where"))
    await kv
      .atomic()
      .sum(["k"], 1, ttl)
      .mutate({ type: "delete", key: ["k"], ...ttl })
      .commit()
    await kv.transaction(() => {}, none("maxRetries", "retryDelay"))
    for await (const _ of kv.changes(none("from", "prefix", "limit", "live", "onError")));
    const watching = none("exact", "emitInitial", "from", "bufferSize", "overflowStrategy", "onError")
    kv.watch(["a"], () => {}, watching).stop()
    await kv.consumer("c", none("prefix", "lease", "onError")).release()
    const listener = kv.listenQueue(
      () => {},
      none("queue", "concurrency", "autoAck", "lockDuration", "onError"),
    )
    await kv.enqueue(
      1,
      none(
        "delay",
        "backoffSchedule",
        "keysIfUndelivered",
        "queue",
        "orderingKey",
        "deduplicationKey",
        "deadLetter",
      ),
    )
    listener.stop()
    await listener.finished
    await kv.dlq.list(none("limit", "offset", "queue"))
    await (await kv.lock("l", none("duration", "owner"))).release()
    await kv.createIndex(["none"], { fields: ["x"], ...none("tokenize", "on", "unique") })
    await kv.search(["none"], "x", none("limit", "where")).next()
    await kv.removeIndex(["none"], undefined)
  })

  test("after all of it the store works", async () => {
    const kv = await seeded()
    assert.equal((await kv.set(["works"], true)).ok, true)
    assert.equal((await kv.get(["works"])).value, true)
    await kv.delete(["works"])
  })
}
