/**
 * The value codec and what it uses. Longer than 400 lines: the tests share one set of samples, whose source
 * also runs in the other runtime.
 */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import vm from "node:vm"
import fc from "fast-check"
import { KvError, describe as shown } from "../../dist/modules/shared/errors.js"
import { MAX_NESTING_DEPTH, MAX_VALUE_BYTES } from "../../dist/modules/shared/limits.js"
import { COMMIT_VERSIONSTAMP, Now, UUIDV7 } from "../../dist/modules/shared/placeholders.js"
import { KvU64 } from "../../dist/modules/shared/u64.js"
import { decodeValue, encodeValue, LateValue, revive } from "../../dist/modules/value/index.js"
import { commandOf, root } from "../support/runtimes.js"

const encode = (value) => encodeValue(value, "value")

function roundTrip(value) {
  const { encoding, data } = encode(value)
  return decodeValue(encoding, data)
}

/** `deepStrictEqual`, which in Node 20 holds two invalid dates for unequal. */
function same(actual, expected) {
  const isInvalid = (date) => date instanceof Date && Number.isNaN(date.getTime())
  if (isInvalid(expected)) assert.ok(isInvalid(actual))
  else assert.deepStrictEqual(actual, expected)
}

function refused(code, call) {
  let error
  assert.throws(call, (thrown) => {
    error = thrown
    return true
  })
  assert.ok(error instanceof KvError, `not a KvError: ${error.stack}`)
  assert.equal(error.code, code, error.message)
  assert.equal(error.retryable, false)
  return error.message
}

function nested(depth, bottom) {
  let value = bottom
  for (let at = 0; at < depth; at++) value = at % 2 ? [value] : { down: value }
  return value
}

// biome-ignore format: a table
/**
 * Every type. Its source text runs in the other runtime too: it may use `KvU64` and nothing else of this
 * file.
 */
function samples() {
  const withMembers = Object.assign(new TypeError("wrong", { cause: new Map([["a", 1n]]) }), {
    code: "E",
    at: [NaN],
  })
  const named = Object.assign(new RangeError("far"), { name: "TooFar" })
  const indexed = /a+\/"\n/giu
  indexed.lastIndex = 3
  return {
    null: null,
    booleans: [true, false],
    numbers: [0, 1, -1, 0.1, 1e21, 5e-324, Number.MAX_VALUE, -1e-7, 1e300],
    special: [NaN, Infinity, -Infinity, -0, { zero: -0 }],
    minusZero: -0,
    nan: NaN,
    strings: ["", 'line\n"quoted" \\ \u2028', "日本語 😀", "\0", "lone \ud800 and \udc00", "__type"],
    lone: "\udfff",
    objects: { a: 1, b: { c: [1, { d: "e" }], "": 0 }, z: {}, 10: "x", 2: "y" },
    undefined: [undefined, { a: undefined, b: 1 }],
    bigints: [0n, -1n, 2n ** 64n, -(2n ** 200n)],
    bigint: 5n,
    dates: [new Date(0), new Date(-1), new Date(8.64e15), new Date(1_700_000_000_123)],
    invalidDate: new Date(NaN),
    map: new Map([
      ["a", 1],
      [{ k: 1n }, new Map([[undefined, [new Set([1, "1", null])]]])],
      [NaN, -0],
    ]),
    empty: [new Map(), new Set(), [], {}, new Uint8Array(), new ArrayBuffer(0)],
    bytes: Uint8Array.of(0, 1, 255),
    nestedBytes: { a: Uint8Array.of(0, 255), b: new Uint8Array([1, 2, 3, 4]).subarray(1, 3) },
    views: [
      Int8Array.of(-1, 2), Uint8ClampedArray.of(1, 255), Int16Array.of(-1, 2 ** 15 - 1),
      Uint16Array.of(1, 65535), Int32Array.of(-1, 2 ** 31 - 1), Uint32Array.of(2 ** 32 - 1),
      Float32Array.of(0.5, NaN, -0), Float64Array.of(-0, 0.1, Infinity), BigInt64Array.of(-1n, 2n ** 62n),
      BigUint64Array.of(2n ** 64n - 1n), new Uint16Array([1, 2, 3, 4]).subarray(1, 3),
    ],
    buffers: [Uint8Array.of(1, 2, 3).buffer, new DataView(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2)],
    regexps: [/a/, /(?:)/g, indexed, /\//],
    errors: [
      new Error(), new Error("went wrong"), new TypeError("t"), new SyntaxError("s"), new ReferenceError("r"),
      new EvalError("e"), new URIError("u"), new AggregateError([new Error("one"), 2n], "both"), withMembers,
      named, new Error("undefined cause", { cause: undefined }),
    ],
    u64: new KvU64(2n ** 64n - 1n),
    nestedU64: [new KvU64(0n), { n: new KvU64(258n) }],
    ownType: { __type: "bigint", value: "5" },
    ownTypes: [
      { __type: { __type: 1n } }, { x: 1, __type: undefined }, { __type: "object", value: { __type: "map" } },
    ],
    proto: JSON.parse('{"__proto__":{"a":1},"b":{"__proto__":[2]}}'),
    taggedProto: [1n, JSON.parse('{"__proto__":{"a":null},"b":2,"__type":"x"}')],
    toJSON: { toJSON: "not a function", n: 1 },
    shared: ((one) => [one, one, { one }])({ n: 1n }),
  }
}

describe("round trip", () => {
  for (const [name, value] of Object.entries(samples())) test(name, () => same(roundTrip(value), value))

  test("encodings", () => {
    const of = (value) => encode(value).encoding
    for (const value of [null, "a", 1, [], { a: [{ b: null }] }, "__type", { toJSON: 1 }])
      assert.equal(of(value), 0)
    for (const value of [1n, NaN, [undefined], { __type: 1 }, [new Uint8Array()]]) assert.equal(of(value), 1)
    for (const value of [new Uint8Array(), Buffer.from("a")]) assert.equal(of(value), 2)
    assert.deepEqual(encode(new KvU64(258n)), { encoding: 3, data: Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 0) })
  })

  test("texts", () => {
    const text = (value) => encode(value).data
    assert.equal(text({ a: [1, "\ud800"], b: null }), '{"a":[1,"\\ud800"],"b":null}')
    assert.equal(text(123n), '{"__type":"bigint","value":"123"}')
    assert.equal(text([undefined]), '[{"__type":"undefined"}]')
    assert.equal(text(Float32Array.of(1)), '{"__type":"typedarray","value":"AACAPw==","kind":"Float32Array"}')
    assert.equal(text(/a/g), '{"__type":"regexp","value":"a","flags":"g"}')
    assert.equal(text({ __type: 1 }), '{"__type":"object","value":{"__type":1}}')
    assert.equal(text([new KvU64(5n)]), '[{"__type":"u64","value":"5"}]')
  })

  test("members keep their order", () => {
    for (const extra of [1, 1n]) {
      const value = { z: 1, a: extra, m: { y: 2, b: 1 } }
      assert.deepEqual(Object.keys(roundTrip(value)), ["z", "a", "m"])
    }
  })

  test("a Buffer reads back as a Uint8Array of its own memory", () => {
    for (const value of [roundTrip(Buffer.from("ab")), roundTrip([Buffer.from("ab")])[0]]) {
      assert.deepStrictEqual(value, Uint8Array.of(97, 98))
      assert.equal(value.buffer.byteLength, 2)
    }
    assert.deepStrictEqual(decodeValue(2, Buffer.from("ab")), Uint8Array.of(97, 98))
    assert.equal(decodeValue(2, new Uint8Array(5).subarray(1)).buffer.byteLength, 4)
    assert.deepStrictEqual(decodeValue(1, Buffer.from('{"__type":"bigint","value":"5"}')), 5n)
  })

  test("objects without a prototype become plain ones", () => {
    const bare = Object.assign(Object.create(null), { a: Object.assign(Object.create(null), { b: 1 }) })
    assert.deepStrictEqual(roundTrip(bare), { a: { b: 1 } })
  })

  test("errors keep stack, cause, members and the nearest class", () => {
    class HttpError extends TypeError {
      name = "HttpError"
      status = 404
    }
    const error = new HttpError("not found", { cause: new HttpError("inner") })
    const read = roundTrip(error)
    assert.equal(Object.getPrototypeOf(read), TypeError.prototype)
    assert.deepEqual([read.name, read.message, read.stack], ["HttpError", "not found", error.stack])
    assert.deepEqual({ ...read }, { name: "HttpError", status: 404 })
    assert.equal(read.cause.name, "HttpError")
    for (const key of ["message", "stack", "cause"]) assert.equal(Object.keys(read).includes(key), false)
    const bare = new Error("x")
    delete bare.stack
    assert.equal(roundTrip(bare).stack, undefined)
    const kv = roundTrip(new KvError("BUSY", "locked"))
    assert.deepEqual([kv.name, kv.code, kv instanceof KvError], ["KvError", "BUSY", false])
    const aborted = roundTrip(new DOMException("stop", "AbortError"))
    assert.deepEqual([aborted.name, aborted.message, aborted instanceof Error], ["AbortError", "stop", true])
  })

  test("objects of another realm", () => {
    const source =
      '({ o: { a: [1, { b: null }] }, d: new Date(5), m: new Map([["k", new Set([1n])]]), r: /x/y,' +
      ' b: new Uint8Array([1]), f: new Float64Array([0.5]).buffer, e: new RangeError("far"), u: undefined })'
    const read = roundTrip(vm.runInNewContext(source))
    delete read.e.stack
    const expected = vm.runInThisContext(source)
    assert.deepStrictEqual(read, expected)
    assert.equal(Object.getPrototypeOf(read.e), RangeError.prototype)
    const plain = vm.runInNewContext("({ a: [1, { b: null }] })")
    assert.deepStrictEqual(encode(plain), { encoding: 0, data: '{"a":[1,{"b":null}]}' })
    assert.equal(encode(vm.runInNewContext("new Uint8Array(2)")).encoding, 2)
    const foreign = vm.runInNewContext("class Mine {}; [new Mine(), new (class extends Map {})()]")
    assert.equal(
      refused("INVALID_ARGUMENT", () => encode(foreign)),
      "value[0]: instances of Mine cannot be stored",
    )
    assert.match(
      refused("INVALID_ARGUMENT", () => encode(foreign[1])),
      /^value: .* cannot be stored$/,
    )
  })

  test("dates of fake timers are dates", () => {
    class ClockDate extends Date {
      constructor(...args) {
        super(...args)
        Object.defineProperty(this, "constructor", { value: Date })
      }
    }
    assert.deepStrictEqual(roundTrip([new ClockDate(5)]), [new Date(5)])
  })
})

describe("refusals", () => {
  class Mine {
    toJSON() {
      return 1
    }
  }
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const detached = new Uint8Array(4)
  structuredClone(detached.buffer, { transfer: [detached.buffer] })
  const extended = Object.assign(new Date(0), { zone: "x" })
  const long = "k".repeat(100)

  // biome-ignore format: a table
  const cases = [
    [() => 1, "value: functions"],
    [Symbol("s"), "value: symbols"],
    [{ items: [1, 2, 3, { cb() {} }] }, "value.items[3].cb: functions"],
    [{ "a b": Symbol("s") }, 'value["a b"]: symbols'],
    [{ [long]: Symbol("s") }, `value["${"k".repeat(59)}…"]: symbols`],
    [{ toJSON: () => 1 }, "value.toJSON: functions"],
    [{ a: { [Symbol("s")]: 1 } }, "value.a[Symbol(s)]: members with a symbol for a key"],
    [new Map([["k", { x: class {} }]]), 'value.get("k").x: functions'],
    [new Map([[1, 2], [{ k: Symbol("s") }, 2]]), "value.keys()[1].k: symbols"],
    [new Map([[1n, Symbol("s")]]), "value.values()[0]: symbols"],
    [new Set([1, [() => 1]]), "value.values()[1][0]: functions"],
    [new Error("x", { cause: { f() {} } }), "value.cause.f: functions"],
    [new AggregateError([1, Symbol("s")]), "value.errors[1]: symbols"],
    [Object.assign(new Error("x"), { request: new Mine() }), "value.request: instances of Mine"],
    [[new Mine()], "value[0]: instances of Mine"],
    [[new URL("http://a")], "value[0]: instances of URL"],
    [[new (class List extends Array {})()], "value[0]: instances of List"],
    [[new (class Dict extends Map {})()], "value[0]: instances of Dict"],
    [new (class Bytes extends Uint8Array {})(), "value: instances of Bytes"],
    [[new WeakMap()], "value[0]: instances of WeakMap"],
    [[Promise.resolve()], "value[0]: Promises (await them first)"],
    [[new SharedArrayBuffer(1)], "value[0]: instances of SharedArrayBuffer"],
    [[Object.create({})], "value[0]: objects with a prototype of their own"],
    [[Object.create(Object.create(null))], "value[0]: objects with a prototype of their own"],
    [[[].values()], /^value\[0\]: .* cannot be stored$/],
    // Seen to fail: "instances of Map", which can be stored.
    [[new Proxy(new Map(), {})], "value[0]: proxies of a Map (give the Map itself)"],
    [[new Proxy(new Date(0), {})], "value[0]: proxies of a Date (give the Date itself)"],
    [new Proxy(new Uint8Array(2), {}), "value: proxies of a Uint8Array (give the Uint8Array itself)"],
    [[new Proxy(new BigUint64Array(2), {})], "value[0]: proxies of a BigUint64Array (give the BigUint64Array itself)"],
    [[new Proxy(new Mine(), {})], "value[0]: instances of Mine"],
    [[new Proxy(() => 1, {})], "value[0]: functions"],
    [[revoked.proxy], "value[0]: revoked proxies"],
    [revoked.proxy, "value: revoked proxies"],
    [detached, "value: views of a detached buffer"],
    [[detached.buffer], "value[0]: views of a detached buffer"],
    [[extended], "value[0].zone: members of a Date"],
    [[Object.assign(new Map(), { [Symbol("s")]: 1 })], "value[0][Symbol(s)]: members with a symbol for a key"],
    [[Object.assign(new Error("x"), { [Symbol("s")]: 1 })], "value[0][Symbol(s)]: members with a symbol for a key"],
    [[COMMIT_VERSIONSTAMP], "value[0]: commitVersionstamp(), which may only be the last part of a key,"],
  ]
  for (const [at, [value, expected]] of cases.entries())
    test(`${at} ${expected}`, () => {
      const message = refused("INVALID_ARGUMENT", () => encode(value))
      if (expected instanceof RegExp) assert.match(message, expected)
      else assert.equal(message, `${expected} cannot be stored`)
    })

  test("a long path is cut in the middle", () => {
    const message = refused("INVALID_ARGUMENT", () => encode(nested(40, Symbol("s"))))
    assert.equal(message, "value[0].down[0].down[0].down…[0].down[0].down[0].down: symbols cannot be stored")
  })

  test("what a getter throws is the caller's own", () => {
    const mine = new Error("mine")
    const throwing = {
      get a() {
        throw mine
      },
    }
    assert.throws(
      () => encode({ throwing }),
      (error) => error === mine,
    )
    const trap = new Proxy(
      {},
      {
        ownKeys() {
          throw mine
        },
      },
    )
    assert.throws(
      () => encode([1n, trap]),
      (error) => error === mine,
    )
  })
})

describe("limits", () => {
  test(`nesting up to ${MAX_NESTING_DEPTH}`, () => {
    for (const bottom of ["x", 1n, new Date(0), Uint8Array.of(1)]) {
      same(roundTrip(nested(MAX_NESTING_DEPTH, bottom)), nested(MAX_NESTING_DEPTH, bottom))
      const message = refused("LIMIT_EXCEEDED", () => encode(nested(MAX_NESTING_DEPTH + 1, bottom)))
      assert.match(message, /^value\.down\[0\]\.down\[0\]\.down\[0\]…: nesting: .* limit of 100 levels$/)
    }
    const wrappers = [
      (v) => new Map([[v, v]]),
      (v) => new Set([v]),
      (v) => new Error("x", { cause: v }),
      (v) => ({ __type: v }),
    ]
    for (const wrap of wrappers) {
      const build = (depth) => Array.from({ length: depth }).reduce((v, _, at) => (at ? [v] : wrap(v)), null)
      roundTrip(build(MAX_NESTING_DEPTH))
      refused("LIMIT_EXCEEDED", () => encode(build(MAX_NESTING_DEPTH + 1)))
    }
    roundTrip(Array.from({ length: MAX_NESTING_DEPTH }).reduce((v) => new Error("x", { cause: v }), null))
  })

  // Seen to fail: Bun stored both, and Node 20 could not read them.
  test("what another supported runtime could not read is refused, with its path", () => {
    const sources = ["(?i:a)b", "(?-i:a)", "[(]\\\\(?<y>a)|(?<y>b)", "(?<y>a)|(?<\\u0079>b)"]
    const fine = ["(?:a)(?=b)(?<=c)(?<!d)(?<x>e)\\(?i:", "[(?i:](?<y>a)", "(?<y>a)(?<z>b)"]
    const made = (source) => {
      try {
        return new RegExp(source)
      } catch {
        return undefined
      }
    }
    for (const regexp of sources.map(made).filter(Boolean))
      assert.match(
        refused("INVALID_ARGUMENT", () => encodeValue({ a: [regexp] }, "value")),
        /^value\.a\[0\]: a RegExp/,
      )
    for (const regexp of fine.map(made).filter(Boolean)) encodeValue(regexp, "value")
    const long = made("a".repeat(1024 * 1024 + 1))
    if (long)
      assert.match(
        refused("INVALID_ARGUMENT", () => encodeValue(long, "value")),
        /1048576 code units/,
      )
    if (globalThis.Float16Array) {
      const message = refused("INVALID_ARGUMENT", () => encodeValue({ a: Float16Array.of(1) }, "value"))
      assert.match(message, /^value\.a: a Float16Array/)
    }
  })

  // Seen to fail: a view whose buffer had shrunk below it was stored as an empty one; `error` and
  // `suppressed` were lost.
  test("views that are out of bounds, resizable and shared buffers, suppressed errors", () => {
    const buffer = new ArrayBuffer(8, { maxByteLength: 16 })
    const views = [new Uint8Array(buffer, 4, 4), new Int16Array(buffer, 4), new DataView(buffer, 4, 4)]
    const tracking = new Uint8Array(buffer)
    buffer.resize(2)
    for (const view of views) refused("INVALID_ARGUMENT", () => encodeValue([view], "value"))
    const { data, encoding } = encodeValue([tracking], "value")
    assert.deepEqual(decodeValue(encoding, data), [new Uint8Array(2)])
    const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(7)
    const copy = encodeValue(shared, "value")
    assert.deepEqual(decodeValue(copy.encoding, copy.data), Uint8Array.of(7, 7))
    if (typeof SuppressedError === "undefined") return
    const stored = encodeValue(new SuppressedError(new Error("a"), 2n, "m"), "value")
    const error = decodeValue(stored.encoding, stored.data)
    assert.deepEqual(
      [error.name, error.message, error.error.message, error.suppressed],
      ["SuppressedError", "m", "a", 2n],
    )
    assert.ok(error instanceof SuppressedError)
  })

  test("no depth overflows the stack", () => {
    for (const bottom of [1, 1n]) refused("LIMIT_EXCEEDED", () => encode(nested(200_000, bottom)))
    const deep = (open, close) => open.repeat(200_000) + close.repeat(200_000)
    refused("CORRUPT", () => decodeValue(1, deep("[", "]")))
    refused("CORRUPT", () => decodeValue(1, deep('{"a":', "}").replace(":}", ":1}")))
    refused("CORRUPT", () => decodeValue(1, `${'{"__type":"set","value":['.repeat(300)}${"]}".repeat(300)}`))
    refused("CORRUPT", () =>
      decodeValue(1, `${'{"__type":"object","value":{"a":'.repeat(300)}1${"}}".repeat(300)}`),
    )
  })

  test("a text up to 16 MiB of UTF-8", () => {
    const quotes = 2
    assert.equal(encode("x".repeat(MAX_VALUE_BYTES - quotes)).encoding, 0)
    const over = [
      "x".repeat(MAX_VALUE_BYTES - 1),
      "x".repeat(2 * MAX_VALUE_BYTES),
      "ü".repeat(MAX_VALUE_BYTES / 2),
      "\n".repeat(MAX_VALUE_BYTES / 2),
      [1n, "ü".repeat(MAX_VALUE_BYTES / 2)],
      [UUIDV7, "x".repeat(MAX_VALUE_BYTES - 40)],
      [new Uint8Array(MAX_VALUE_BYTES - 100)],
      new Uint8Array(MAX_VALUE_BYTES + 1),
      new Array(2 ** 30),
      1n << BigInt(4 * MAX_VALUE_BYTES),
    ]
    for (const value of over)
      assert.match(
        refused("LIMIT_EXCEEDED", () => encode(value)),
        /^value: .*\d{8,} bytes .* 16777216 bytes$/,
      )
    assert.equal(encode(new Uint8Array(MAX_VALUE_BYTES)).data.length, MAX_VALUE_BYTES)
  })

  test("a small graph with an endless text is refused in time", () => {
    for (const bottom of ["x", 1n, {}]) {
      const bomb = Array.from({ length: 90 }).reduce((v) => [v, v], bottom)
      refused("LIMIT_EXCEEDED", () => encodeValue(bomb, "patch", true))
    }
    const long = "x".repeat(2 ** 20)
    refused("LIMIT_EXCEEDED", () => encode(new Array(10_000).fill(long)))
  })
})

describe("snapshot", () => {
  test("what is changed later changes nothing", () => {
    const value = { a: 1, list: [1n], bytes: Uint8Array.of(1) }
    const bytes = Uint8Array.of(1)
    const late = { id: UUIDV7, a: [1] }
    const [first, second, third] = [value, bytes, late].map(encode)
    value.a = value.bytes[0] = value.list[0] = bytes[0] = late.a[0] = 2
    const read = ({ encoding, data }) => decodeValue(encoding, data)
    assert.deepEqual(read(first), { a: 1, list: [1n], bytes: Uint8Array.of(1) })
    assert.deepEqual(read(second), Uint8Array.of(1))
    assert.deepEqual(read(third.resolve("u")), { id: "u", a: [1] })
  })

  test("a UUID is put in later, wherever its placeholder is", () => {
    const read = (value) => {
      const late = encode(value)
      assert.ok(late instanceof LateValue)
      const { encoding, data } = late.resolve('0190-ü"')
      assert.equal(encoding, late.encoding)
      return decodeValue(encoding, data)
    }
    const id = '0190-ü"'
    assert.equal(read(UUIDV7), id)
    assert.deepEqual(read([UUIDV7, { a: UUIDV7 }]), [id, { a: id }])
    assert.deepEqual(read(new Map([[UUIDV7, new Set([1n, UUIDV7])]])), new Map([[id, new Set([1n, id])]]))
    assert.deepEqual(read({ __type: UUIDV7 }), { __type: id })
    assert.equal(encode([UUIDV7]).encoding, 0)
    assert.equal(encode([UUIDV7, 1n]).encoding, 1)
  })

  test("the store's time is read at encoding", () => {
    let ms = 1000
    const parse = (duration, name) => {
      assert.equal(name, "duration")
      return duration
    }
    const now = new Now(() => ms, parse)
    const first = encode({ at: now, later: now.add(5).sub(1) })
    ms = 2000
    assert.deepEqual(first, { encoding: 0, data: '{"at":1000,"later":1004}' })
    assert.deepEqual(encode(now), { encoding: 0, data: "2000" })
    assert.deepEqual([now - 1, `${now}`, JSON.stringify(now), now > 1999], [1999, "2000", "2000", true])
    assert.equal(Object.prototype.toString.call(now), "[object KvNow]")
  })
})

describe("pollution", () => {
  function polluted(patches, run) {
    for (const [target, key, value] of patches)
      Object.defineProperty(target, key, { value, configurable: true, enumerable: true, writable: true })
    try {
      return run()
    } finally {
      for (const [target, key] of patches) delete target[key]
    }
  }
  const lie = () => "toJSON was called"

  test("no toJSON is called", () => {
    const value = { a: [1, { b: "x" }], n: 1n, d: new Date(5), s: "x", m: new Map([[1, [2]]]), t: true }
    const plain = { a: [1, { b: "x" }], s: "x" }
    const targets = [Object, Array, BigInt, String, Number, Boolean, Map].map(({ prototype }) => [
      prototype,
      "toJSON",
      lie,
    ])
    const original = Date.prototype.toJSON
    Date.prototype.toJSON = lie
    let texts
    try {
      texts = polluted(targets, () => [encode(value), encode(plain), encode([1]), encode("x")])
    } finally {
      Date.prototype.toJSON = original
    }
    assert.deepEqual(texts, [encode(value), encode(plain), encode([1]), encode("x")])
    const hidden = Object.defineProperty({ a: 1 }, "toJSON", { value: lie, enumerable: false })
    assert.deepEqual(encode(hidden), { encoding: 0, data: '{"a":1}' })
    const list = Object.defineProperty([1], "toJSON", { value: lie, enumerable: false })
    assert.deepEqual(encode(list), { encoding: 0, data: "[1]" })
  })

  test("a property of Object.prototype is no member", () => {
    const proto = Object.prototype
    const tags = [
      [proto, "__type", "bigint"],
      [proto, "value", "5"],
      [proto, "extra", lie],
    ]
    const value = { a: [1, {}], n: 1n }
    const { text, read, error } = polluted(tags, () => {
      const { encoding, data } = encode(value)
      let error
      try {
        decodeValue(1, '{"__type":"bigint"}')
      } catch (thrown) {
        error = thrown
      }
      return { text: data, read: decodeValue(encoding, data), error }
    })
    assert.equal(text, encode(value).data)
    assert.deepStrictEqual(read, value)
    assert.equal(error.code, "CORRUPT")
  })

  test("a member named __proto__ touches no prototype", () => {
    const read = decodeValue(
      1,
      '{"__proto__":{"x":{"__type":"bigint","value":"5"}},"n":{"__type":"undefined"}}',
    )
    assert.equal(Object.getPrototypeOf(read), Object.prototype)
    assert.deepEqual(Object.keys(read), ["__proto__", "n"])
    assert.equal(Object.getOwnPropertyDescriptor(read, "__proto__").value.x, 5n)
    const direct = decodeValue(1, '{"__proto__":{"__type":"map","value":[]}}')
    assert.equal(Object.getPrototypeOf(direct), Object.prototype)
    const error = decodeValue(
      1,
      '{"__type":"error","value":{"name":"Error","members":{"__proto__":{"x":1}}}}',
    )
    assert.equal(Object.getPrototypeOf(error), Error.prototype)
    assert.deepEqual(Object.keys(error), ["__proto__"])
  })
})

describe("damage", () => {
  const tag = (type, rest) => JSON.stringify({ __type: type, ...rest })
  /** What Rust reads, too (`src/codec/tags.rs`). */
  const tags = JSON.parse(readFileSync(join(root, "testdata/tags.json"), "utf8"))
  const within = (text) => [
    text,
    `[1,{"a":${text}}]`,
    ` [ ${text} ] `,
    `{"__type":"map","value":[[${text},1]]}`,
  ]

  test("a tag that is damaged is CORRUPT, and its content is not shown", () => {
    for (const text of tags.damaged)
      for (const around of within(text))
        assert.match(
          refused("CORRUPT", () => decodeValue(1, around)),
          /^stored value: [\w :]+$/,
          around,
        )
  })

  test("a tag that only a newer version can have written is UNSUPPORTED, with its path", () => {
    for (const text of tags.unknown)
      for (const around of within(text))
        assert.match(
          refused("UNSUPPORTED", () => decodeValue(1, around)),
          /^value\S*: a tag that this version does not know; a newer version wrote it, or the value is damaged$/,
          around,
        )
  })

  test("a tag that is sound is a value", () => {
    for (const text of tags.sound) for (const around of within(text)) decodeValue(1, around)
  })

  // Seen to fail: each was CORRUPT, "a tag of the type regexp is damaged", without its place.
  test("what only this runtime cannot make is UNSUPPORTED, with its path and with who wrote it", () => {
    const regexp = (value) => tag("regexp", { value, flags: "" })
    const places = {
      value: (text) => text,
      "value[1].a": (text) => `[1,{"a":${text}}]`,
      'value.get("k")': (text) => `{"__type":"map","value":[["k",${text}]]}`,
      "value.values()[1]": (text) => `{"__type":"set","value":[1,${text}]}`,
      "value.cause": (text) => `{"__type":"error","value":{"name":"Error","cause":${text}}}`,
    }
    const runtime = process.versions.bun ? /Bun \d/ : /Node\.js \d/
    for (const [place, around] of Object.entries(places)) {
      const message = refused("UNSUPPORTED", () => decodeValue(1, around(regexp("("))))
      assert.ok(message.startsWith(`${place}: a RegExp that `), message)
      assert.match(message, runtime)
    }
    const newer = {
      "(?i:a)b": /modifiers.*written by Bun, or Node.js 23/,
      "(?<y>a)|(?<y>b)": /several groups of one name.*written by Bun, or Node.js 23/,
    }
    for (const [source, words] of Object.entries(newer)) {
      let isKnown = true
      try {
        new RegExp(source)
      } catch {
        isKnown = false
      }
      if (isKnown) assert.equal(decodeValue(1, regexp(source)).source, source)
      else
        assert.match(
          refused("UNSUPPORTED", () => decodeValue(1, regexp(source))),
          words,
        )
    }
    const half = tag("typedarray", { value: "AD4AwA==", kind: "Float16Array" })
    if (globalThis.Float16Array) assert.deepEqual([...decodeValue(1, half)], [1.5, -2])
    else
      assert.match(
        refused("UNSUPPORTED", () => decodeValue(1, half)),
        /Float16Array.*Node.js 24/,
      )
  })

  test("what is not of its encoding is CORRUPT", () => {
    // biome-ignore format: a table
    const cases = [
      [0, ""], [0, "secret"], [1, "{"], [0, Uint8Array.of(0x22, 0xff, 0x22)], [2, "text"], [3, "text"],
      [0, Uint8Array.of(0xef, 0xbb, 0xbf, 0x31)], [3, new Uint8Array(7)], [4, new Uint8Array(1)], [-1, "1"], [NaN, "1"],
    ]
    for (const [encoding, data] of cases) {
      const message = refused("CORRUPT", () => decodeValue(encoding, data))
      assert.doesNotMatch(message, /secret|text "/)
    }
  })

  const types = "bigint u64 date regexp map set bytes typedarray error object number undefined no".split(" ")
  // biome-ignore format: a table
  const leaf = fc.oneof(
    fc.constantFrom(null, "5", "-0", "NaN", "AAAA", "AAAAAAAAAAA=", "Int16Array", "Error", "g", "(", 1, 8.64e15, true),
    fc.string({ maxLength: 4 }),
    fc.double({ noNaN: true }),
  )
  // biome-ignore format: a table
  const names = fc.constantFrom("value", "flags", "kind", "name", "message", "stack", "cause", "errors", "members", "class")
  const { hostile } = fc.letrec((tie) => ({
    hostile: fc.oneof(
      { depthSize: "medium" },
      leaf,
      fc.array(tie("hostile"), { maxLength: 3 }),
      tie("members"),
      tie("tag"),
    ),
    pairs: fc.array(fc.tuple(tie("hostile"), tie("hostile")), { maxLength: 3 }),
    members: fc.dictionary(fc.oneof(names, fc.constantFrom("__proto__", "a")), tie("hostile"), {
      maxKeys: 4,
    }),
    tag: fc
      .tuple(
        fc.oneof(fc.constantFrom(...types), leaf),
        fc.oneof(tie("hostile"), tie("pairs")),
        tie("members"),
      )
      .map(([type, value, rest]) => ({ ...rest, __type: type, value })),
  }))

  /** A value, a `CORRUPT` or what only this runtime cannot make; a value that can be stored again. */
  function survives(text) {
    let value
    try {
      value = decodeValue(1, text)
    } catch (error) {
      assert.ok(error instanceof KvError, `${text}: ${error.stack}`)
      assert.ok(["CORRUPT", "UNSUPPORTED"].includes(error.code), error.code)
      return
    }
    assert.deepEqual(encode(roundTrip([value])), encode([value]))
  }

  test("hostile tags", () => {
    fc.assert(
      fc.property(hostile, (tree) => survives(JSON.stringify(tree))),
      { numRuns: 3000 },
    )
  })

  test("any JSON", () => fc.assert(fc.property(fc.json(), survives)))

  test("texts with a change in them", () => {
    const texts = Object.values(samples()).map((value) => encode([value]).data)
    const change = fc.constantFrom("", '"', "0", "-", "[", "]", "{}", "null", "=", "A", ",", "\\")
    const check = (text, at, length, put) => {
      const from = at % text.length
      survives(text.slice(0, from) + put + text.slice(from + length))
    }
    fc.assert(fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(3), change, check), { numRuns: 3000 })
  })
})

describe("properties", () => {
  const scalar = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  )
  const special = fc.oneof(
    fc.bigInt(),
    fc.constantFrom(undefined, NaN, Infinity, -Infinity, -0, /a"b/giu),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.float64Array(),
    fc.uint8Array().map(({ buffer }) => buffer.slice(0)),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => new KvU64(value)),
  )
  const name = fc.oneof(
    fc.constantFrom("__proto__", "__type", "value", "toJSON", "constructor", "1"),
    fc.string({ unit: "binary" }),
  )
  const object = (members) =>
    fc.uniqueArray(fc.tuple(name, members), { selector: ([key]) => key, maxLength: 5 }).map((entries) => {
      const made = {}
      for (const [key, value] of entries)
        Object.defineProperty(made, key, { value, configurable: true, enumerable: true, writable: true })
      return made
    })
  const json = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: "medium" }, scalar, fc.array(tie("value")), object(tie("value"))),
  })).value
  const rich = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "medium" },
      scalar,
      special,
      fc.array(tie("value")),
      object(tie("value")),
      tie("map"),
      tie("set"),
      tie("error"),
    ),
    // One key that is an object at most: Bun 1.4 holds a map of two equal ones for unequal to itself, read
    // again.
    map: fc
      .tuple(fc.array(fc.tuple(scalar, tie("value")), { maxLength: 3 }), fc.tuple(tie("value"), tie("value")))
      .map(([pairs, last]) => new Map([...pairs, last])),
    set: fc.array(tie("value"), { maxLength: 4 }).map((members) => new Set(members)),
    error: fc
      .tuple(fc.constantFrom(Error, TypeError, RangeError), fc.string(), tie("value"), object(tie("value")))
      .map(([Class, message, cause, members]) => Object.assign(new Class(message, { cause }), { members })),
  })).value

  test("JSON", () => {
    const check = (value) => {
      same(roundTrip(value), value)
      const { encoding, data } = encode(value)
      if (encoding === 0) assert.equal(data, JSON.stringify(value))
    }
    fc.assert(fc.property(json, check), { numRuns: 1000 })
    fc.assert(fc.property(fc.jsonValue(), check))
  })

  test("values of every type", () => {
    const check = (value) => {
      if (value === undefined) return
      same(roundTrip(value), value)
      const { encoding, data } = encode([value])
      if (encoding === 1) same(revive(JSON.parse(data)), [value])
      else assert.deepEqual(JSON.parse(data), [value])
      assert.equal(encode(decodeValue(encoding, data)).data, data)
    }
    fc.assert(fc.property(rich, check), { numRuns: 1000 })
  })
})

/** Errors' stacks tell of files and engines. */
function withoutStacks(value) {
  if (value instanceof Error) {
    value.stack = undefined
    delete value.stack
    for (const inner of [value.cause, ...(value.errors ?? [])]) withoutStacks(inner)
  } else if (typeof value === "object" && value !== null)
    for (const inner of Object.values(value)) withoutStacks(inner)
  return value
}

test("Bun and Node write the same texts and read each other's", () => {
  const here = process.versions.bun ? "bun" : "node"
  const other = here === "bun" ? "node" : "bun"
  const dist = new URL("../../dist/modules/", import.meta.url)
  const source = `
    import { KvU64 } from "${new URL("shared/u64.js", dist)}"
    import { encodeValue } from "${new URL("value/index.js", dist)}"
    ${withoutStacks}
    ${samples}
    const encoded = Object.entries(withoutStacks(samples())).map(([name, value]) => {
      const { encoding, data } = encodeValue(value, name)
      return [name, encoding, typeof data === "string" ? data : [...data]]
    })
    console.log(JSON.stringify([process.versions.bun ? "bun" : "node", encoded]))`
  const flags = other === "node" ? ["--input-type=module", "-e"] : ["-e"]
  const { stdout, stderr, status } = spawnSync(commandOf(other), [...flags, source], { encoding: "utf8" })
  assert.equal(status, 0, stderr)
  const [ran, encoded] = JSON.parse(stdout)
  assert.equal(ran, other)
  const expected = withoutStacks(samples())
  assert.deepEqual(
    encoded.map(([name]) => name),
    Object.keys(expected),
  )
  for (const [name, encoding, content] of encoded) {
    const data = typeof content === "string" ? content : Uint8Array.from(content)
    assert.deepStrictEqual(encode(expected[name]), { encoding, data }, name)
    same(decodeValue(encoding, data), expected[name])
  }
})

describe("KvError, KvU64 and messages", () => {
  test("KvError", () => {
    const error = new KvError("UNAVAILABLE", "gone", { cause: 1, outcome: "unknown" })
    assert.deepEqual(
      [error.name, error.code, error.retryable, error.outcome, error.cause],
      ["KvError", "UNAVAILABLE", false, "unknown", 1],
    )
    assert.ok(error instanceof Error && error.stack.startsWith("KvError: gone"))
    for (const code of ["BUSY", "UNAVAILABLE"]) assert.equal(new KvError(code, "").retryable, true)
    assert.deepEqual(Object.keys(new KvError("CLOSED", "")), ["code", "retryable"])
    assert.equal("cause" in new KvError("CLOSED", ""), false)
  })

  test("KvU64", async () => {
    const { inspect } = await import("node:util")
    const u64 = new KvU64(5n)
    assert.deepEqual(
      [u64.value, u64.valueOf(), `${u64}`, u64 + 1n, inspect([u64])],
      [5n, 5n, "5", 6n, "[ KvU64(5n) ]"],
    )
    assert.throws(() => {
      u64.value = 1n
    }, TypeError)
    for (const wrong of [-1n, 2n ** 64n, 5, "5", undefined, null])
      assert.match(
        refused("INVALID_ARGUMENT", () => new KvU64(wrong)),
        /^KvU64: must be a bigint from 0 to 2\^64 - 1, got /,
      )
  })

  test("arguments are shown, shortly and without secrets", () => {
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    // biome-ignore format: a table
    const cases = [
      [undefined, "undefined"], [null, "null"], [5, "number 5"], [-0, "number -0"], [5n, "bigint 5n"],
      ["5 parsecs", 'string "5 parsecs"'], [Symbol("s"), "symbol Symbol(s)"],
      [function named() {}, "function named"], [() => {}, "function"], [true, "boolean true"],
      [[1, "a", [2n]], 'array [1, "a", [2n]]'], [{ a: { b: { c: 1 } } }, 'object {"a": {"b": {…}}}'],
      [new Map(), "Map {}"], [Object.assign(Object.create(null), { a: 1 }), 'object {"a": 1}'],
      [{ get a() { throw 1 } }, 'object {"a": …}'], [{ authToken: "abc" }, 'object {"authToken": …}'],
      ["libsql://u:p@h?authToken=abc&a=1", 'string "libsql://…@h?authToken=…&a=1"'],
      [new URL("http://h/?token=abc"), 'URL "http://h/?token=…"'],
      [new Uint8Array(3), "Uint8Array of 3 bytes"], [revoked.proxy, "object"],
      [1n << 300n, "bigint of more than 256 bits"], [new Date(5), "Date 5"],
    ]
    for (const [value, expected] of cases) assert.equal(shown(value), expected)
    fc.assert(fc.property(fc.anything(), (value) => assert.ok(shown(value).length <= 130)))
    const cyclic = {}
    cyclic.self = cyclic
    assert.ok(shown([cyclic, "x".repeat(1e6), revoked.proxy]).length < 130)
  })
})
