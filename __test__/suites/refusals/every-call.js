// What holds of the arguments of every call, over the table of `support/tables/calls.js`.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv, KvError, KvU64 } from "@buntime/keyval"
import { refused } from "../../support/assert.js"
import { root } from "../../support/runtimes.js"
import { readDeclarations } from "../../support/sources/declarations.js"
import { useStore } from "../../support/store.js"
import { CALLS, OTHERS, outcome, perform, seed, state } from "../../support/tables/calls.js"

/** A proxy of a value and of all that is in it, as reactive state and drafts are. */
function reactive(value) {
  if (typeof value !== "object" || value === null || value instanceof Error) return value
  const proto = Object.getPrototypeOf(value)
  if (proto !== Object.prototype && proto !== Array.prototype) return value
  return new Proxy(value, { get: (target, name, self) => reactive(Reflect.get(target, name, self)) })
}

class Subclass extends Array {
  constructor(...parts) {
    super()
    this.push(...parts)
  }
}

/** Arrays of a class of the program's own, frozen. */
function subclassed(value) {
  if (Array.isArray(value)) return Object.freeze(Subclass.from(value, subclassed))
  return value
}

/** Members that every object inherits while `run` runs. */
async function polluted(members, run) {
  for (const [name, value] of Object.entries(members))
    Object.defineProperty(Object.prototype, name, {
      __proto__: null,
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  try {
    return await run()
  } finally {
    for (const name of Object.keys(members)) delete Object.prototype[name]
  }
}

/** What is no options, by what errors call it. */
const NO_OPTIONS = {
  Date: () => new Date(0),
  Map: () => new Map([["limit", 1]]),
  Set: () => new Set(["limit"]),
  array: () => [],
  Promise: () => Promise.resolve({}),
  Uint8Array: () => new Uint8Array(0),
  URL: () => new URL("https://example.com"),
  RegExp: () => /a/,
  Error: () => new Error("no"),
  AbortSignal: () => new AbortController().signal,
  Custom: () => new (class Custom {})(),
  function: () => () => ({}),
  string: () => "limit",
  number: () => 5,
  boolean: () => true,
  null: () => null,
}

const nothing = () => {}

/** Every call that takes a selector. */
const SELECTOR_CALLS = {
  list: (kv, selector) => kv.list(selector),
  paginate: (kv, selector) => kv.paginate(selector),
  count: (kv, selector) => kv.count(selector),
  delete: (kv, selector) => kv.delete(selector),
  explain: (kv, selector) => kv.explain(selector, { a: 1 }),
  watch: (kv, selector) => kv.watch(selector, () => {}),
  "atomic delete": (kv, selector) => kv.atomic().delete(selector).commit(),
}

function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

/** The same arguments, each time another object or array in them a revoked proxy. */
function* withRevoked(value) {
  if (typeof value !== "object" || value === null) return
  for (const [name, one] of Object.entries(value)) {
    const put = (other) => {
      if (Array.isArray(value)) return value.with(Number(name), other)
      return { ...value, [name]: other }
    }
    if (typeof one === "object" && one !== null) yield put(revoked(one))
    for (const other of withRevoked(one)) yield put(other)
  }
}

/**
 * The same arguments, each time another member in them a getter that throws, or another object a proxy whose
 * traps do.
 */
function* withThrowing(value, error, isArgument = false) {
  if (typeof value !== "object" || value === null || value instanceof Error) return
  const fail = () => {
    throw error
  }
  const copied = () => (Array.isArray(value) ? [...value] : { ...value })
  for (const [name, one] of Object.entries(value)) {
    if (isArgument) yield Object.defineProperty(copied(), name, { get: fail, enumerable: true })
    for (const other of withThrowing(one, error, true)) yield Object.assign(copied(), { [name]: other })
  }
  if (isArgument)
    yield new Proxy(value, { get: fail, has: fail, ownKeys: fail, getOwnPropertyDescriptor: fail })
}

const OPTION_NAMES = new Set(CALLS.flatMap(({ options }) => Object.keys(options ?? {})))
const allArgs = ({ args, options }) => (options === undefined ? args : [...args, options])
const title = ({ type, name }) => `${type}.${name}`

/** What `index.d.ts` declares as methods. */
function declaredMethods() {
  const { types } = readDeclarations(readFileSync(join(root, "index.d.ts"), "utf8"))
  const asked = new Set(CALLS.map(({ type }) => type))
  return [...types]
    .filter(([name]) => asked.has(name))
    .flatMap(([name, { methods }]) => methods.map((member) => `${name}.${member}`))
}

export function everyCall(target) {
  const store = useStore(target, { per: "suite" })

  test("the table has every method of the contract", () => {
    const listed = [
      ...CALLS.map(title),
      ...Object.entries(OTHERS).flatMap(([type, names]) => names.map((name) => `${type}.${name}`)),
    ]
    assert.deepEqual(
      declaredMethods().filter((method) => !listed.includes(method)),
      [],
    )
  })

  // Seen to fail: `dlq.purge({ queue })` deleted the dead letters of all queues; `info({ x })`,
  // `listIndexes(prefix)`, `atomic().delete(key, { exact: false })`,
  // `collection.delete(id, { exact: false })`, `tx.get(key, { consistency })` were accepted.
  describe("what a call does not know is refused, and nothing has happened", () => {
    for (const call of CALLS) {
      test(title(call), async () => {
        const { kv } = store
        await seed(kv)
        const before = await state(kv)
        const { args, options } = call
        const wrong = { nonsense: 1 }
        const tries =
          options === undefined
            ? [[...args, wrong]]
            : [
                [...args, { ...options, ...wrong }],
                [...args, options, wrong],
              ]
        for (const given of tries)
          await refused(() => perform(kv, call, given), "INVALID_ARGUMENT", /options/, /nonsense/)
        if (options !== undefined)
          await refused(
            () => perform(kv, call, [...args, Object.create(wrong)]),
            "INVALID_ARGUMENT",
            /nonsense/,
          )
        assert.deepEqual(await state(kv), before)
      })
    }
  })

  const [sound, others] = [[], []]
  for (const call of CALLS) (["ackMessage", "nackMessage"].includes(call.name) ? others : sound).push(call)

  // Seen to fail: set, touch, count, delete, search, createIndex and others said "an object is not a key".
  for (const [what, make] of [
    ["proxies of arrays and objects", reactive],
    ["arrays of a subclass", subclassed],
  ]) {
    describe(`${what} are as good as plain ones`, () => {
      for (const call of sound) {
        test(title(call), async () => {
          const expected = await outcome(store.kv, call, allArgs(call))
          assert.deepEqual(await outcome(store.kv, call, allArgs(call).map(make)), expected)
        })
      }
    })
  }

  // Seen to fail: every call with options said "options.polluted: there is no such option".
  test("an enumerable member of Object.prototype changes no call", async () => {
    const { kv } = store
    const members = {
      polluted: "x",
      ...Object.fromEntries([...OPTION_NAMES].map((name) => [name, "polluted"])),
    }
    for (const call of sound) {
      for (const given of [allArgs(call), call.args]) {
        const expected = await outcome(kv, call, given)
        assert.deepEqual(await polluted(members, () => outcome(kv, call, given)), expected, title(call))
      }
    }
  })

  // Seen to fail: reading a stored error and opening with a tracer were a TypeError.
  for (const name of ["get", "set"])
    test(`a member ${name} of Object.prototype that is undefined changes no stored error and no tracing`, async () => {
      const cause = new TypeError("the cause")
      const stored = Object.assign(new AggregateError([new RangeError("one")], "all", { cause }), { own: 1 })
      const span = { setAttribute() {}, setStatus() {}, end() {} }
      const run = async () => {
        const traced = store.another({ tracer: { startSpan: () => span } })
        await traced.set(["error"], stored)
        return (await traced.get(["error"])).value
      }
      assert.deepEqual(await polluted({ [name]: undefined }, run), stored)
    })

  test("options may be inherited from an object or a class of the program's own", async () => {
    const { kv } = store
    await seed(kv)
    class Paging {
      #limit = 2
      get limit() {
        return this.#limit
      }
    }
    const { entries } = await kv.paginate(["d"], new Paging())
    assert.equal(entries.length, 2)
    const only = Object.create({ where: { n: 2 } })
    assert.deepEqual(await kv.delete({ prefix: ["d"] }, only), { success: true, deletedCount: 1 })
  })

  // Seen to fail: of all 40 calls with options, each took a Date, a Map or a Promise for options without
  // members.
  describe("an instance of something else is no options and no selector", () => {
    for (const call of CALLS.filter(({ options }) => options !== undefined)) {
      test(title(call), async () => {
        const { kv } = store
        await seed(kv)
        const before = await state(kv)
        for (const [name, make] of Object.entries(NO_OPTIONS))
          await refused(() => perform(kv, call, [...call.args, make()]), "INVALID_ARGUMENT", new RegExp(name))
        assert.deepEqual(await state(kv), before)
      })
    }
    for (const [name, call] of Object.entries(SELECTOR_CALLS)) {
      test(`selector of ${name}`, async () => {
        const { kv } = store
        await seed(kv)
        const before = await state(kv)
        for (const make of Object.values(NO_OPTIONS))
          if (!Array.isArray(make())) await refused(() => call(kv, make()), "INVALID_ARGUMENT")
        assert.deepEqual(await state(kv), before)
      })
    }
  })

  test("options without a member may be frozen, without a prototype, a proxy, or inherit from another object", async () => {
    const bare = Object.create(null)
    for (const none of [bare, Object.freeze({}), new Proxy({}, {}), Object.create({}), Object.create(bare)])
      await store.kv.count(["d"], none)
  })

  // Seen to fail: a bare TypeError from `setMany`, `collection`, `consumer`, `changes`, `collection.set` and
  // `collection.parse`.
  describe("a revoked proxy is refused like any other wrong argument", () => {
    // A collection's key is a key that is yet to be checked; the reason of a nack may be anything.
    const unchecked = ["KvCollection.key", "Kv.nackMessage"]
    for (const call of CALLS.filter((one) => !unchecked.includes(title(one)))) {
      test(title(call), async () => {
        const { kv } = store
        await seed(kv)
        const before = await state(kv)
        for (const given of withRevoked(allArgs(call)))
          await refused(() => perform(kv, call, given), "INVALID_ARGUMENT")
        assert.deepEqual(await state(kv), before)
      })
    }
  })

  // Seen to fail: with a `catch` around the reading of options that made a KvError of what a getter threw.
  describe("what the program's own code throws is passed on as it is, and nothing has happened", () => {
    // A schema's version and vendor are not looked at; a schema that takes anything looks at nothing.
    const unread = ["Kv.collection", "KvCollection.parse"]
    for (const call of CALLS.filter((one) => !unread.includes(title(one)))) {
      test(title(call), async () => {
        const { kv } = store
        await seed(kv)
        const before = await state(kv)
        const own = new RangeError("the program's own")
        for (const given of withThrowing(allArgs(call), own))
          await assert.rejects(
            async () => perform(kv, call, given),
            (error) => error === own,
          )
        assert.deepEqual(await state(kv), before)
      })
    }
  })

  test("bytes of a detached buffer are no part of a key", async () => {
    const { kv } = store
    const bytes = new Uint8Array(4)
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
    await refused(() => kv.get([bytes]), "INVALID_ARGUMENT", /key\[0\]/, /detached/)
    await refused(() => kv.set(["a", bytes], 1), "INVALID_ARGUMENT", /key\[1\]/, /detached/)
  })

  test("close may be passed on as a callback, but knows no options", async () => {
    const kv = target.open(target.place())
    await refused(() => kv.close({ force: true }), "INVALID_ARGUMENT", /force/)
    await refused(
      () => kv.atomic().mutate({ type: "delete", key: ["a"], expiresIn: 5 }),
      "INVALID_ARGUMENT",
      /delete/,
    )
    await kv.close("SIGTERM", 15)
    assert.equal(kv.closed, true)
  })

  // Seen to fail: `new KvU64(1n, {})`, the options of an error and a radix, which gave decimal digits, were
  // ignored.
  test("a class refuses what it does not know, as a call does", async () => {
    const place = target.place()
    const refusals = [
      [() => new KvU64(1n, { nonsense: 1 }), /nonsense/],
      [() => new KvU64(1n, 64), /64/],
      [() => new KvU64(255n).toString(16), /16/],
      [() => new KvError("BUSY", "busy", { couse: 1 }), /options\.couse.*cause, outcome/],
      [() => new KvError("BUSY", "busy", null), /null/],
      [() => new KvError("BUSY", "busy", "cause"), /string/],
      [() => new KvError("BUSY", "busy", {}, { nonsense: 1 }), /nonsense/],
      [() => new Kv(place.url, { nonsense: 1 }), /nonsense/],
      [() => new Kv(place.url, {}, { nonsense: 1 }), /nonsense/],
    ]
    for (const [make, said] of refusals) await refused(make, "INVALID_ARGUMENT", /options/, said)
    place.dispose()
    assert.equal(new KvU64(1n, undefined).value, 1n)
    assert.deepEqual(
      [1n, 2n].map((n) => String(new KvU64(n))),
      ["1", "2"],
    )
  })

  // Seen to fail: the iterator of a watch, and a listener of what is behind its options, ignored it.
  test("what is stopped refuses what it does not know, and may be passed on as a callback", async () => {
    const { kv } = store
    for (const [running, more] of [
      [kv.watch(["a"], nothing), []],
      [kv.watch(["a"]), []],
      [
        kv.listenQueue(nothing, { queue: "idle" }),
        [[{ timeout: "1s", nonsense: 1 }], [{ timeout: "1s" }, { nonsense: 1 }]],
      ],
    ]) {
      for (const given of [[{ nonsense: 1 }], ["SIGTERM", { nonsense: 1 }], ...more])
        await refused(() => running.stop(...given), "INVALID_ARGUMENT", /options/, /nonsense/)
      running.stop("SIGTERM", 15)
      await (running.finished ?? running.next())
    }
  })

  // Seen to fail: it said that an array is no object, and not what an entry is.
  test("setMany of pairs says what an entry is", async () => {
    const kv = target.open(target.place())
    for (const pairs of [[[["a"], 1]], new Map([[["a"], 1]])])
      await refused(
        () => kv.setMany(pairs),
        "INVALID_ARGUMENT",
        /entries\[0\]: must be \{ key, value \}.*pair/,
      )
    assert.equal(await kv.count([]), 0)
    await kv.close()
  })
}
