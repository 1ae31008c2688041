import { KvU64 } from "@buntime/keyval"

/** Calls with another mistake: [name, call, code, what the message says]. */
export const mistakes = [
  ["get of an empty key part", (kv) => kv.get([[]]), ["INVALID_ARGUMENT", "LIMIT_EXCEEDED"]],
  ["set of an empty key", (kv) => kv.set([], 1), ["INVALID_ARGUMENT", "LIMIT_EXCEEDED"], /key/],
  ["getMany of no list", (kv) => kv.getMany("a"), "INVALID_ARGUMENT", /keys/],
  ["getMany of one key", (kv) => kv.getMany(["a"]), "INVALID_ARGUMENT", /key/],
  [
    "getMany with an odd consistency",
    (kv) => kv.getMany([["a"]], { consistency: "x" }),
    "INVALID_ARGUMENT",
    /consistency/,
  ],
  [
    "get with an odd consistency",
    (kv) => kv.get(["a"], { consistency: "x" }),
    "INVALID_ARGUMENT",
    /consistency/,
  ],
  ["get with options that are none", (kv) => kv.get(["a"], "strong"), "INVALID_ARGUMENT", /options/],
  ["list with options that are none", (kv) => kv.list(["a"], 5), "INVALID_ARGUMENT", /options/],
  ["set with options that are none", (kv) => kv.set(["a"], 1, 1000), "INVALID_ARGUMENT", /options/],
  ["delete with an odd exact", (kv) => kv.delete(["a"], { exact: "yes" }), "INVALID_ARGUMENT", /exact/],
  [
    "delete of a selector, exact",
    (kv) => kv.delete({ prefix: ["a"] }, { exact: true }),
    "INVALID_ARGUMENT",
    /exact/,
  ],
  ["delete of a mixed list", (kv) => kv.delete([["a"], "b"]), "INVALID_ARGUMENT", /key/],
  [
    "delete of an empty key in a list",
    (kv) => kv.delete([["a"], []]),
    ["INVALID_ARGUMENT", "LIMIT_EXCEEDED"],
    /key/,
  ],
  ["touch without a time", (kv) => kv.touch(["a"], {}), "INVALID_ARGUMENT", /expiresIn/],
  ["touch without options", (kv) => kv.touch(["a"]), "INVALID_ARGUMENT", /expiresIn|options/],
  ["check of nothing", (kv) => kv.atomic().check(undefined).commit(), "INVALID_ARGUMENT", /check/],
  [
    "check without a versionstamp",
    (kv) =>
      kv
        .atomic()
        .check({ key: ["a"] })
        .commit(),
    "INVALID_ARGUMENT",
    /versionstamp/,
  ],
  // Seen to fail: it was no error, and the check was not met.
  [
    "check of a text that is no versionstamp",
    (kv) =>
      kv
        .atomic()
        .check({ key: ["a"], versionstamp: "xx".repeat(10) })
        .commit(),
    "INVALID_ARGUMENT",
    /versionstamp/,
  ],
  [
    "check of a number",
    (kv) =>
      kv
        .atomic()
        .check({ key: ["a"], versionstamp: 5 })
        .commit(),
    "INVALID_ARGUMENT",
    /versionstamp/,
  ],
  ["append of no list", (kv) => kv.atomic().append(["k"], "ab").commit(), "INVALID_ARGUMENT", /values|array/],
  [
    "mutate of an unknown type",
    (kv) =>
      kv
        .atomic()
        .mutate({ type: "add", key: ["k"], value: 1n })
        .commit(),
    "INVALID_ARGUMENT",
    /add/,
  ],
  ["mutate of nothing", (kv) => kv.atomic().mutate(null).commit(), "INVALID_ARGUMENT", /mutat/],
  [
    "mutate without a key",
    (kv) => kv.atomic().mutate({ type: "set", value: 1 }).commit(),
    "INVALID_ARGUMENT",
    /key/,
  ],
  [
    "mutate without a value",
    (kv) =>
      kv
        .atomic()
        .mutate({ type: "set", key: ["k"] })
        .commit(),
    "INVALID_ARGUMENT",
    /value|undefined/,
  ],
  ["setMany of no iterable", (kv) => kv.setMany({ key: ["k"], value: 1 }), "INVALID_ARGUMENT", /entries/],
  ["setMany of null", (kv) => kv.setMany(null), "INVALID_ARGUMENT", /entries/],
  ["setMany of no entry", (kv) => kv.setMany([5]), "INVALID_ARGUMENT", /entries?\[0\]/],
  ["setMany without a value", (kv) => kv.setMany([{ key: ["k"] }]), "INVALID_ARGUMENT", /value|undefined/],
  [
    "setMany with an odd onProgress",
    (kv) => kv.setMany([], { onProgress: 5 }),
    "INVALID_ARGUMENT",
    /onProgress/,
  ],
  ["a transaction of no function", (kv) => kv.transaction("fn"), "INVALID_ARGUMENT", /function/],
  [
    "a transaction with -1 retries",
    (kv) => kv.transaction(() => {}, { maxRetries: -1 }),
    "INVALID_ARGUMENT",
    /maxRetries/,
    /-1/,
  ],
  [
    "a transaction with 1.5 retries",
    (kv) => kv.transaction(() => {}, { maxRetries: 1.5 }),
    "INVALID_ARGUMENT",
    /maxRetries/,
    /1\.5/,
  ],
  [
    "a transaction with an odd delay",
    (kv) => kv.transaction(() => {}, { retryDelay: "soon" }),
    "INVALID_ARGUMENT",
    /retryDelay/,
    /soon/,
  ],
  [
    "a versionstamp before the last part",
    (kv) => kv.set([kv.commitVersionstamp(), "x"], 1),
    "INVALID_ARGUMENT",
    /last/,
  ],
  [
    "a versionstamp in a value",
    (kv) => kv.set(["k"], { a: kv.commitVersionstamp() }),
    "INVALID_ARGUMENT",
    /\ba\b/,
  ],
  ["a KvU64 below 0", () => new KvU64(-1n), "INVALID_ARGUMENT", /-1/],
  ["a KvU64 of 2^64", () => new KvU64(2n ** 64n), "INVALID_ARGUMENT", /18446744073709551616/],
  ["a KvU64 of a number", () => new KvU64(5), "INVALID_ARGUMENT", /number|5/],
]
