import { KvU64 } from "@buntime/keyval"

function nested(depth) {
  let value = "bottom"
  for (let at = 0; at < depth; at++) value = at % 2 ? [value] : { down: value }
  return value
}

/**
 * What holds itself, and one object in several places. Not as a key of a map or in a set: Bun's `deepEqual`
 * does not end there.
 */
function graph() {
  const shared = { n: 1 }
  const error = new Error("ring", { cause: shared })
  const value = { shared, list: [shared, [shared]], map: new Map([["k", shared]]), error }
  return Object.assign(value, { self: value })
}

/** One value of every kind that can be stored. */
export function samples() {
  return {
    undefined: undefined,
    graph: graph(),
    // biome-ignore lint/suspicious/noSparseArray: holes are values
    holes: [[, 1, , undefined, ,], new Array(3)],
    boxed: [Object("b"), Object(0), Object(-0), Object(true), Object(5n), { s: Object("") }],
    "a boxed string": Object("text"),
    null: null,
    true: true,
    false: false,
    zero: 0,
    "minus zero": -0,
    fraction: 0.1,
    "largest number": Number.MAX_VALUE,
    "smallest number": 5e-324,
    NaN: Number.NaN,
    infinity: Number.POSITIVE_INFINITY,
    "minus infinity": Number.NEGATIVE_INFINITY,
    "empty string": "",
    string: 'line\n"quoted" \\ \u2028 日本語 😀',
    "string of NULs": "\0a\0",
    "lone surrogate": "a\ud800b\udc00",
    bigint: 2n ** 70n,
    "negative bigint": -(2n ** 200n),
    "empty array": [],
    array: [1, "a", null, [true, [0]]],
    "undefined in an array": [undefined, 1, undefined],
    "empty object": {},
    object: { a: 1, b: { c: [1, 2, { d: "e" }] }, "": 0, ключ: "значение" },
    "undefined in an object": { a: undefined, b: 1 },
    "members in their order": { z: 1, a: 2, m: 3 },
    "own __proto__": JSON.parse('{"__proto__":{"a":1},"b":2}'),
    "own __type": { __type: "bigint", value: "5" },
    "__type below": { a: [{ __type: "date", value: 0 }, { __type: { __type: 1 } }] },
    date: new Date(1_700_000_000_123),
    "date before the epoch": new Date(-1),
    regexp: /a+\/"b"/giu,
    map: new Map([
      ["a", 1],
      [2n, new Map([[{ k: 1 }, [undefined]]])],
    ]),
    set: new Set([1, "1", 1n, new Set([null])]),
    "empty map": new Map(),
    bytes: Uint8Array.of(0, 1, 255),
    "no bytes": new Uint8Array(),
    "bytes inside": { a: Uint8Array.of(0, 255), b: [new Uint8Array()] },
    int8: Int8Array.of(-1, 2),
    clamped: Uint8ClampedArray.of(1, 255),
    uint16: Uint16Array.of(1, 65535),
    int32: Int32Array.of(-1, 2 ** 31 - 1),
    float32: Float32Array.of(0.5, Number.NaN),
    float64: Float64Array.of(-0, 0.1),
    int64: BigInt64Array.of(-1n, 2n ** 62n),
    uint64: BigUint64Array.of(2n ** 64n - 1n),
    "array buffer": Uint8Array.of(1, 2, 3).buffer,
    error: new Error("went wrong"),
    "type error": new TypeError("wrong type"),
    "an error inside": { list: [new RangeError("too far")] },
    u64: new KvU64(2n ** 64n - 1n),
    "mixed deep": {
      at: new Date(0),
      n: 1n,
      list: [Number.NaN, -0, { bytes: Uint8Array.of(7), u: undefined }],
    },
    "deep nesting": nested(90),
    "long text": "ü".repeat(70_000),
  }
}
