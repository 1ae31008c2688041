// Bad arguments of watch, changes, consumers, queues and locks as data: [name, call, codes, what the message
// says].

import { badTimes } from "./bad-arguments.js"

const INVALID = "INVALID_ARGUMENT"
const LIMIT = "LIMIT_EXCEEDED"
const EITHER = [INVALID, LIMIT]

function none() {}

/** One row a value of one option. */
function each(name, values, call, codes, said) {
  return values.map((value) => [`${name}: ${show(value)}`, (kv) => call(kv, value), codes, said])
}

function show(value) {
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "function") return "a function"
  if (Object.is(value, Number.NaN)) return "NaN"
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 40 ? `${text.slice(0, 20)}… of ${text.length}` : text
}

const flags = ["yes", 1, null]
const functions = ["f", 1, {}, null]
const noOptions = [5, "text", true, null, []]
const notText = [5, 5n, {}, [], true, null]
const numbers = [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "5", 5n, null, {}]
const names = [...notText, undefined, "", "x".repeat(1025), "ü".repeat(513), "a\ud800"]

const watchRows = [
  ["watch([])", (kv) => kv.watch([], none), EITHER, /key|target/i],
  ["watch([]) as an iterator", (kv) => kv.watch([]), EITHER, /key|target/i],
  ["watch of an empty key among others", (kv) => kv.watch([["a"], []], none), EITHER, /key/i],
  ["watch of one empty key", (kv) => kv.watch([[]], none), EITHER, /key/i],
  ["watch of a mixed list", (kv) => kv.watch([["a"], "b"], none), INVALID, /key/i],
  ["watch of no prefix", (kv) => kv.watch({}, none), INVALID, /prefix|target/],
  ["watch of a start", (kv) => kv.watch({ start: ["a"] }, none), INVALID, /prefix|start|target/],
  ["watch of a range", (kv) => kv.watch({ prefix: ["a"], end: ["a", 5] }, none), INVALID, /end|target/],
  [
    "watch of 1001 keys",
    (kv) =>
      kv.watch(
        Array.from({ length: 1001 }, (_, at) => ["k", at]),
        none,
      ),
    LIMIT,
    /1001/,
    /1000/,
  ],
  ["a prefix, exact", (kv) => kv.watch({ prefix: ["a"] }, none, { exact: true }), INVALID, /exact/],
  ...each(
    "callback",
    ["f", 1, true],
    (kv, callback) => kv.watch(["a"], callback),
    INVALID,
    /callback|options/,
  ),
  ["a callback of null", (kv) => kv.watch(["a"], null, {}), INVALID, /callback|options/],
  ...each("options", noOptions, (kv, options) => kv.watch(["a"], none, options), INVALID, /options/),
  ["an unknown option", (kv) => kv.watch(["a"], none, { emitInital: false }), INVALID, /emitInital/],
  ["an unknown option of the iterator", (kv) => kv.watch(["a"], { limit: 5 }), INVALID, /limit/],
  ...each("exact", flags, (kv, exact) => kv.watch(["a"], none, { exact }), INVALID, /exact/),
  ...each(
    "emitInitial",
    flags,
    (kv, emitInitial) => kv.watch(["a"], none, { emitInitial }),
    INVALID,
    /emitInitial/,
  ),
  ...each(
    "from",
    [5, "", "abc", {}, null, "00000000-0000-4000-8000-00000000000g"],
    (kv, from) => kv.watch(["a"], none, { from }),
    INVALID,
    /from/,
  ),
  [
    "from, and the current state too",
    (kv, { versionstamp }) => kv.watch(["a"], none, { from: versionstamp, emitInitial: true }),
    INVALID,
    /emitInitial|from/,
  ],
  ...each(
    "bufferSize",
    [0, -1, 1.5, Number.NaN, "5", 5n, {}, 10_001],
    (kv, bufferSize) => kv.watch(["a"], none, { bufferSize }),
    EITHER,
    /bufferSize/,
  ),
  ...each(
    "overflowStrategy",
    ["drop", "", 1, null],
    (kv, overflowStrategy) => kv.watch(["a"], none, { bufferSize: 5, overflowStrategy }),
    INVALID,
    /overflowStrategy/,
  ),
  ...each("onError", functions, (kv, onError) => kv.watch(["a"], none, { onError }), INVALID, /onError/),
]

const changesRows = [
  ...each("options", noOptions, (kv, options) => kv.changes(options), INVALID, /options/),
  ["an unknown option", (kv) => kv.changes({ since: 5 }), INVALID, /since/],
  ...each("from", numbers, (kv, from) => kv.changes({ from }), EITHER, /from/),
  ...each("limit", [0, ...numbers], (kv, limit) => kv.changes({ limit }), EITHER, /limit/),
  ...each("live", flags, (kv, live) => kv.changes({ live }), INVALID, /live/),
  ...each("prefix", ["a", 5, null, {}], (kv, prefix) => kv.changes({ prefix }), INVALID, /prefix/),
  ...each(
    "trim",
    [-2, 1.5, Number.NaN, "5", 5n, null, undefined],
    (kv, seq) => kv.changes.trim(seq),
    EITHER,
    /seq/,
  ),
]

const consumerRows = [
  ...each("name", names, (kv, name) => kv.consumer(name), EITHER, /name/),
  ...each("options", noOptions, (kv, options) => kv.consumer("x", options), INVALID, /options/),
  ["an unknown option", (kv) => kv.consumer("x", { leas: 5 }), INVALID, /leas/],
  ...each("prefix", ["a", 5, null, {}], (kv, prefix) => kv.consumer("x", { prefix }), INVALID, /prefix/),
  ...each(
    "lease",
    [99, "99ms", 86_400_001, "2d", 0, -1, "soon", Number.NaN, null, 5n],
    (kv, lease) => kv.consumer("x", { lease }),
    EITHER,
    /lease/,
  ),
  ...each(
    "read",
    [0, -1, 1.5, 1001, "5", null, Number.NaN, 5n],
    (kv, limit) => kv.consumer("x").read(limit),
    EITHER,
    /limit/,
  ),
  ...each(
    "commit",
    [1.5, "5", null, undefined, Number.NaN, 5n],
    (kv, seq) => kv.consumer("c").commit(seq),
    EITHER,
    /seq/,
  ),
]

const ENQUEUE = {
  enqueue: (kv, value, options) => kv.enqueue(value, options),
  "atomic enqueue": (kv, value, options) => kv.atomic().set(["new"], 1).enqueue(value, options).commit(),
  "tx enqueue": (kv, value, options) =>
    kv.transaction((tx) => void tx.set(["new"], 1).enqueue(value, options)),
}

function enqueueRows(call) {
  const withOptions = (name, values, codes) =>
    each(name, values, (kv, value) => call(kv, 1, { [name]: value }), codes, new RegExp(name))
  const delays = badTimes.filter(([what]) => what !== "0" && what !== "0s")
  return [
    ...each("options", noOptions, (kv, options) => call(kv, 1, options), INVALID, /options/),
    ["an unknown option", (kv) => call(kv, 1, { dely: 5 }), INVALID, /dely/],
    ...delays.map(([what, delay, codes, ...said]) => [
      `a delay of ${what}`,
      (kv) => call(kv, 1, { delay }),
      codes,
      /delay/,
      ...said,
    ]),
    ...delays.map(([what, time, codes, ...said]) => [
      `a backoff of ${what}`,
      (kv) => call(kv, 1, { backoffSchedule: [1, time] }),
      codes,
      /backoffSchedule/,
      ...said,
    ]),
    ...withOptions("backoffSchedule", [5, "1s", {}, null, true, Array(101).fill(1)], EITHER),
    ...withOptions("keysIfUndelivered", [5, "k", {}, null, ["k"], [["k"], "l"], [["a", null]]], INVALID),
    ...withOptions("keysIfUndelivered", [[["k"], []], Array(101).fill(["k"])], EITHER),
    ...withOptions("queue", [...notText, "", "x".repeat(1025), "ü".repeat(513), "a\ud800"], EITHER),
    ...withOptions("orderingKey", notText, INVALID),
    ...withOptions("deduplicationKey", notText, INVALID),
    ...withOptions("deadLetter", [0, 1, "", "false", null, {}], INVALID),
  ]
}

const listenRows = [
  ...each(
    "handler",
    ["f", 1, {}, null, undefined],
    (kv, handler) => kv.listenQueue(handler),
    INVALID,
    /handler/,
  ),
  ...each("options", noOptions, (kv, options) => kv.listenQueue(none, options), INVALID, /options/),
  ["an unknown option", (kv) => kv.listenQueue(none, { concurency: 5 }), INVALID, /concurency/],
  ...each(
    "queue",
    [...notText, "", "x".repeat(1025), "ü".repeat(513)],
    (kv, queue) => kv.listenQueue(none, { queue }),
    EITHER,
    /queue/,
  ),
  ...each(
    "concurrency",
    [0, 1001, ...numbers],
    (kv, concurrency) => kv.listenQueue(none, { concurrency }),
    EITHER,
    /concurrency/,
  ),
  ...each("autoAck", flags, (kv, autoAck) => kv.listenQueue(none, { autoAck }), INVALID, /autoAck/),
  ...each(
    "lockDuration",
    [99, "99ms", 86_400_001, "2d", 0, -1, "soon", Number.NaN, null, 5n],
    (kv, lockDuration) => kv.listenQueue(none, { lockDuration }),
    EITHER,
    /lockDuration/,
  ),
  ...each("onError", functions, (kv, onError) => kv.listenQueue(none, { onError }), INVALID, /onError/),
]

const queueRows = [
  ...each("ackMessage", [...notText, undefined], (kv, id) => kv.ackMessage(id), INVALID, /id/),
  ...each("nackMessage", [...notText, undefined], (kv, id) => kv.nackMessage(id), INVALID, /id/),
  ...each(
    "nackMessage options",
    noOptions,
    (kv, options) => kv.nackMessage("id", options),
    INVALID,
    /options/,
  ),
  ["an unknown option of nackMessage", (kv) => kv.nackMessage("id", { eror: 1 }), INVALID, /eror/],
  ...each(
    "queueStats",
    [...notText, "", "x".repeat(1025)],
    (kv, queue) => kv.queueStats(queue),
    EITHER,
    /queue/,
  ),
  ...each("dlq.list", noOptions, (kv, options) => kv.dlq.list(options), INVALID, /options/),
  ["an unknown option of dlq.list", (kv) => kv.dlq.list({ cursor: "" }), INVALID, /cursor/],
  ...each("dlq limit", [0, 1001, ...numbers], (kv, limit) => kv.dlq.list({ limit }), EITHER, /limit/),
  ...each("dlq offset", numbers, (kv, offset) => kv.dlq.list({ offset }), EITHER, /offset/),
  ...each("dlq queue", [...notText, ""], (kv, queue) => kv.dlq.list({ queue }), EITHER, /queue/),
  ...["get", "requeue", "delete"].flatMap((name) =>
    each(`dlq.${name}`, [...notText, undefined], (kv, id) => kv.dlq[name](id), INVALID, /id/),
  ),
]

const lockRows = [
  ...each("name", names, (kv, name) => kv.lock(name), EITHER, /name/),
  ...each("status", names, (kv, name) => kv.lock.status(name), EITHER, /name/),
  ...each("options", noOptions, (kv, options) => kv.lock("new", options), INVALID, /options/),
  ["an unknown option", (kv) => kv.lock("new", { ttl: 5 }), INVALID, /ttl/],
  ...badTimes.map(([what, duration, codes, ...said]) => [
    `a duration of ${what}`,
    (kv) => kv.lock("new", { duration }),
    codes,
    /duration/,
    ...said,
  ]),
  ...each("owner", notText, (kv, owner) => kv.lock("new", { owner }), INVALID, /owner/),
]

/** Every row, by what is called. */
export const groups = {
  watch: watchRows,
  changes: changesRows,
  consumer: consumerRows,
  ...Object.fromEntries(Object.entries(ENQUEUE).map(([name, call]) => [name, enqueueRows(call)])),
  listenQueue: listenRows,
  "messages and dead letters": queueRows,
  lock: lockRows,
}

/** Every call that takes a key or a prefix. */
export const KEY_CALLS = {
  "watch of a key": (kv, key) => kv.watch(key, none),
  "watch of keys": (kv, key) => kv.watch([["a"], key], none),
  "watch of a prefix": (kv, prefix) => kv.watch({ prefix }, none),
  "watch as an iterator": (kv, prefix) => kv.watch({ prefix }),
  changes: (kv, prefix) => kv.changes({ prefix }),
  consumer: (kv, prefix) => kv.consumer("x", { prefix }),
  keysIfUndelivered: (kv, key) => kv.enqueue(1, { keysIfUndelivered: [["a"], key] }),
  "keysIfUndelivered of an atomic": (kv, key) =>
    kv
      .atomic()
      .set(["new"], 1)
      .enqueue(1, { keysIfUndelivered: [key] })
      .commit(),
}

/** Every call that takes a message. */
export const VALUE_CALLS = ENQUEUE
