// Bad arguments as data: [name, a function that makes one, codes, what the message says].

import { runInNewContext } from "node:vm"
import { KvU64 } from "@buntime/keyval"

const INVALID = "INVALID_ARGUMENT"
const LIMIT = "LIMIT_EXCEEDED"
const EITHER = [INVALID, LIMIT]

function nested(depth) {
  let value = 1
  for (let at = 0; at < depth; at++) value = [value]
  return value
}

class Custom {
  toJSON() {
    return "never called"
  }
}

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** Keys that no call takes. */
export const badKeys = [
  ["null as a part", ["a", null], INVALID, /null/],
  ["undefined as a part", ["a", undefined], INVALID, /undefined/],
  ["an object as a part", ["a", {}], INVALID, /an object is not a key part; give Uint8Array/],
  // Seen to fail: all of these were called "an object", and an invalid date was advised to call toISOString,
  // which throws.
  ["a list as a part", ["a", ["b"]], INVALID, /\[\d\]: an array is not a key part.*\.\.\.ids/],
  ["a date as a part", ["a", new Date(0)], INVALID, /a Date .*date\.getTime\(\)/],
  ["an invalid date as a part", ["a", new Date(Number.NaN)], INVALID, /an invalid Date .*of a valid one/],
  ["a date of another realm", ["a", runInNewContext("new Date(0)")], INVALID, /a Date /],
  ["a KvU64 as a part", ["a", new KvU64(1n)], INVALID, /a KvU64 .*its value/],
  ["a promise as a part", ["a", Promise.resolve("b")], INVALID, /a Promise .*await it/],
  ["a URL as a part", ["a", new URL("https://example.com")], INVALID, /a URL .*url\.href/],
  // Seen to fail: "a Uint8Array is not a key part; give Uint8Array, …".
  [
    "a proxy of bytes as a part",
    ["a", new Proxy(new Uint8Array(1), {})],
    INVALID,
    /a proxy of a Uint8Array .*itself/,
  ],
  ["a map as a part", ["a", new Map()], INVALID, /a Map .*give Uint8Array/],
  ["a RegExp as a part", ["a", /b/], INVALID, /a RegExp .*regexp\.source/],
  ["an instance as a part", ["a", new Custom()], INVALID, /a Custom .*give Uint8Array/],
  ["a revoked proxy as a part", ["a", revoked()], INVALID, /an object /],
  ["a symbol as a part", ["a", Symbol("s")], INVALID, /symbol/],
  ["a function as a part", ["a", () => {}], INVALID, /function/],
  ["words as a part", ["a", Uint16Array.of(1)], INVALID, /a Uint16Array .*its bytes/],
  ["a buffer as a part", ["a", new ArrayBuffer(1)], INVALID, /an ArrayBuffer .*new Uint8Array/],
  ["a boxed string as a part", ["a", new String("b")], INVALID, /a String .*primitive/],
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
  ["a hole as a part", ["a", , "b"], INVALID, /undefined|empty|hole/],
  ["a high surrogate alone", ["a", "b\ud800"], INVALID, /surrogate/],
  ["a low surrogate alone", ["a", "\udc00b"], INVALID, /surrogate/],
  ["21 parts", Array.from({ length: 21 }, (_, at) => at), LIMIT, /21/, /20/],
  ["1025 code units", ["a", "x".repeat(1025)], LIMIT, /1025/, /1024/],
  ["1025 bytes", ["a", new Uint8Array(1025)], LIMIT, /1025/, /1024/],
  ["a bigint of 1025 bytes", ["a", 2n ** 8192n], LIMIT, /1025/, /1024/],
  ["a negative bigint of 1025 bytes", ["a", -(2n ** 8192n)], LIMIT, /1025/, /1024/],
]

/** Values that are no key, given where one key is expected; an empty key is a prefix, but no key. */
export const noKeys = [
  ["a string", "users", INVALID, /key|selector/i],
  ["a number", 5, INVALID, /key|selector/i],
  ["null", null, INVALID, /key|selector/i],
  ["undefined", undefined, INVALID, /key|selector/i],
  ["bytes", Uint8Array.of(1), INVALID, /key|selector/i],
  // Seen to fail: "an object is not a key", and entries of setMany "must be an object".
  ["a promise", Promise.resolve(["a"]), INVALID, /Promise.*await it/],
  ["a map", new Map(), INVALID, /a Map is not a key|selector.*Map/],
]

export const badValues = [
  ["a function", () => () => {}, INVALID, /function/],
  ["a symbol", () => Symbol("s"), INVALID, /symbol/],
  ["an instance of a class", () => ({ a: new Custom() }), INVALID, /Custom/, /\ba\b/],
  ["an own toJSON", () => ({ a: { toJSON: () => 1 } }), INVALID, /toJSON/],
  ["a promise", () => [Promise.resolve(1)], INVALID, /Promise/],
  ["a weak map", () => new WeakMap(), INVALID, /WeakMap/],
  ["a boxed symbol", () => ({ n: Object(Symbol("s")) }), INVALID, /Symbol/, /\bn\b/],
  [
    "a boxed number with a member",
    () => ({ n: Object.assign(Object(1), { a: 1 }) }),
    INVALID,
    /Number/,
    /n\.a/,
  ],
  ["a function deep inside", () => ({ a: { b: [1, { c: () => 0 }] } }), INVALID, /a\.b\[1\]\.c/],
  ["a symbol in a map", () => ({ m: new Map([["k", Symbol("s")]]) }), INVALID, /symbol/, /\bm\b/],
  ["a function in a set", () => new Set([() => 0]), INVALID, /function/],
  ["nesting over 100", () => nested(102), EITHER, /100/],
  ["nesting of 100,000", () => nested(100_000), EITHER, /100/],
  ["text over 16 MiB", () => "x".repeat(16 * 1024 * 1024), LIMIT, /16777216|16 MiB/],
  ["bytes over 16 MiB", () => new Uint8Array(16 * 1024 * 1024 + 1), LIMIT, /16777216|16 MiB/],
]

/** Times to live; more than 0, at most 100 years. */
export const badTimes = [
  ["0", 0, EITHER],
  ["a negative number", -1, INVALID, /-1/],
  ["NaN", Number.NaN, INVALID, /NaN/],
  ["infinity", Number.POSITIVE_INFINITY, EITHER, /inf/i],
  ["more than 100 years", 3_153_600_000_001, LIMIT, /3153600000001/, /100 years|3153600000000/],
  ["more than 100 years as text", "101y", LIMIT, /100 years|3153600000000/],
  ["no unit", "5", INVALID, /"5"/],
  ["an unknown unit", "5 parsecs", INVALID, /5 parsecs/],
  ["a negative text", "-5s", INVALID, /-5s/],
  ["0s", "0s", EITHER, /0/],
  ["empty text", "", INVALID],
  ["two units", "1h30m", INVALID, /1h30m/],
  ["a bigint", 5n, INVALID],
  ["a boolean", true, INVALID, /true|boolean/],
  ["a date", new Date(0), INVALID],
  ["null", null, INVALID, /null/],
]

export const badOperands = [
  ["a fraction", 1.5, /1\.5/],
  ["NaN", Number.NaN, /NaN/],
  ["infinity", Number.POSITIVE_INFINITY, /inf/i],
  ["text", "5", /string|"5"/],
  ["null", null, /null/],
  ["undefined", undefined, /undefined/],
  ["an object", {}, /object/i],
  ["a boolean", true, /true|boolean/],
]

const flags = ["yes", 1, null]

/** Options of `list`. */
export const badListOptions = [
  ...[0, -1, 1.5, Number.NaN, "5", null, 5n].map((limit) => [{ limit }, EITHER, /limit/]),
  ...[0, -1, 1.5, "5", null].map((batchSize) => [{ batchSize }, EITHER, /batchSize/]),
  [{ batchSize: 1001 }, EITHER, /batchSize/, /1001/, /1000/],
  ...flags.map((reverse) => [{ reverse }, INVALID, /reverse/]),
  ...flags.map((keysOnly) => [{ keysOnly }, INVALID, /keysOnly/]),
  ...[5, {}, true].map((cursor) => [{ cursor }, INVALID, /cursor/]),
  ...["weak", 1, null].map((consistency) => [{ consistency }, INVALID, /consistency/]),
  ...["a", 5, null, "", 0].map((start) => [{ start }, INVALID, /start/]),
  ...["a", 5, null, "", false].map((end) => [{ end }, INVALID, /end/]),
  [{ start: ["other"] }, INVALID, /start/],
  [{ end: ["other", 1] }, INVALID, /end/],
  [{ start: ["a", null] }, INVALID, /start/],
]

export const badPageOptions = [
  ...[0, -1, 1.5, "5", null].map((limit) => [{ limit }, EITHER, /limit/]),
  [{ limit: 1001 }, EITHER, /limit/, /1001/, /1000/],
  ...flags.map((reverse) => [{ reverse }, INVALID, /reverse/]),
  ...[5, {}, true].map((cursor) => [{ cursor }, INVALID, /cursor/]),
]

/** Selectors that no call takes. */
export const badSelectors = [
  ["empty", {}, INVALID],
  ["a prefix that is no key", { prefix: "a" }, INVALID, /prefix/],
  ["a null prefix", { prefix: null }, INVALID, /prefix/],
  ["a start that is no key", { prefix: [], start: 5 }, INVALID, /start/],
  ["an end that is no key", { end: "z" }, INVALID, /end/],
  ["a start outside the prefix", { prefix: ["a"], start: ["b"] }, INVALID, /start/],
  ["an end outside the prefix", { prefix: ["a"], end: ["b", 1] }, INVALID, /end/],
  ["an unknown member alone", { prefx: ["a"] }, INVALID],
  ["a bad part in the prefix", { prefix: ["a", null] }, INVALID, /null/],
  ["a prefix of 21 parts", { prefix: Array.from({ length: 21 }, () => 1) }, LIMIT, /21/, /20/],
]

/** Options of `new Kv`. */
export const badOpenOptions = [
  [{ durabilty: "full" }, INVALID, /durabilty/],
  [{ encryptionKey: "x" }, [INVALID, "UNSUPPORTED"], /encryptionKey/],
  ...["sync", "", 1, null].map((durability) => [{ durability }, INVALID, /durability/]),
  ...["all", "", true, null].map((changeLog) => [{ changeLog }, INVALID, /changeLog/]),
  ...[-1, "5", "x", Number.NaN, null].map((busyTimeout) => [{ busyTimeout }, INVALID, /busyTimeout/]),
  [{ busyTimeout: "61m" }, EITHER, /busyTimeout/],
  ...[-1, "x", null].map((sweepInterval) => [{ sweepInterval }, INVALID, /sweepInterval/]),
  [{ sweepInterval: 9 }, EITHER, /sweepInterval/, /10/],
  ...[-1, "x", null].map((retention) => [{ retention }, INVALID, /retention/]),
  ...[0, "0s", -1, "x", {}, true].map((deadLetterRetention) => [
    { deadLetterRetention },
    INVALID,
    /deadLetterRetention/,
  ]),
]

/** Urls that no store is opened for. */
export const badUrls = [
  ...[42, null, {}, true, []].map((url) => [url, INVALID, /url/]),
  ["", INVALID, /url/],
  ["file:", INVALID, /url|path/],
  ["a\0b.db", INVALID, /NUL|null|\\0|url|path/i],
  ["libsql://x", "UNSUPPORTED", /libsql/],
  ["libsql://user:secret@host", "UNSUPPORTED", /^(?!.*secret)/],
  ["https://x", "UNSUPPORTED", /https/],
  ["http://127.0.0.1:8080", "UNSUPPORTED", /http/],
  ["https://x/path", "UNSUPPORTED", /https/],
  ["ws://x", "UNSUPPORTED", /ws/],
  ["wss://x", "UNSUPPORTED", /wss/],
  ["redis://x", ["UNSUPPORTED", INVALID], /redis/],
]
