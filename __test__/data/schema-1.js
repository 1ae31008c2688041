// What is in schema-1.db.gz, for ever: `make-schema.js` has written it once, with the first version that has
// schema 1.
import { KvU64 } from "@buntime/keyval"

/** The id that the file got by chance; its last 42 bits end every versionstamp. */
export const DATABASE_ID = "01a21169-dad8-72c8-8670-674f2fd6d4e7"
/** Where the clock stood at the first commit; each one is a second later. */
export const MADE_AT = 1_800_000_000_000
/** 90 years of 365 days. */
const LONG_MS = 90 * 365 * 86_400_000

export const SETTINGS = { changeLog: "values", retention: "50y", sweepInterval: 0 }

const nested = { list: [1, { deep: [undefined, -0] }], at: new Date(1_700_000_000_123) }
const error = new RangeError("too far")
error.stack = "RangeError: too far\n    at nowhere"

/** Entries that were set once: each a commit, in this order. */
export const sets = [
  { key: ["users", 123], value: { name: "Ada" } },
  { key: ["json"], value: [null, true, 0.1, 'é "quoted" 😀', { a: { b: [] } }, "a\ud800"] },
  { key: ["tags", "scalars"], value: [2n ** 70n, -5n, Number.NaN, Number.NEGATIVE_INFINITY, undefined] },
  { key: ["tags", "objects"], value: [/a+\/b/giu, new Map([[1n, new Set(["x"])]]), { __type: "mine" }] },
  { key: ["tags", "bytes"], value: [Uint8Array.of(0, 255), Int16Array.of(-2, 3), Uint8Array.of(7).buffer] },
  { key: ["tags", "u64 inside"], value: { counter: new KvU64(2n ** 64n - 1n) } },
  { key: ["tags", "error"], value: error },
  { key: ["tags", "nested"], value: nested },
  { key: ["bytes"], value: Uint8Array.of(0, 1, 254, 255) },
  { key: ["bytes", "none"], value: new Uint8Array() },
  { key: ["u64"], value: new KvU64(258n) },
  { key: ["overflow"], value: "0123456789".repeat(1000) },
  { key: ["ttl", "live"], value: "to the year 2116", expiresIn: LONG_MS },
  { key: [Uint8Array.of(0, 1, 255), "a\0b", "ü"], value: "bytes and strings" },
  { key: [-1, -0, 0, Number.NaN, Number.POSITIVE_INFINITY], value: "numbers" },
  { key: [0n, 256n, -256n, 2n ** 64n, -(2n ** 64n)], value: "bigints" },
  { key: [false, true], value: "booleans" },
]

/** Commits after those. */
export const commits = [
  (kv) => kv.atomic().set(["gone"], 1).set(["updated"], "old").commit(),
  (kv) => kv.set(["updated"], "new"),
  (kv) => kv.delete(["gone"]),
  (kv) => kv.atomic().sum(["count"], 40n).append(["list"], ["a"]).commit(),
  (kv) => kv.atomic().sum(["count"], 2n).append(["list"], ["b"]).commit(),
  (kv) => kv.set(["ttl", "expired"], "of a millisecond", { expiresIn: 1 }),
]

/** What those commits left: the commit's place among all, and the value. */
const left = [
  { key: ["updated"], value: "new", commit: sets.length + 1 },
  { key: ["count"], value: 42n, commit: sets.length + 4 },
  { key: ["list"], value: ["a", "b"], commit: sets.length + 4 },
]

/** Every entry that is live after the last commit. */
export const entries = [...sets.map((entry, commit) => ({ ...entry, commit })), ...left]

/** The rows of the change log after those of `sets`: operation and key. */
export const changes = [
  ["create", ["gone"]],
  ["create", ["updated"]],
  ["update", ["updated"]],
  ["delete", ["gone"]],
  ["create", ["count"]],
  ["create", ["list"]],
  ["update", ["count"]],
  ["update", ["list"]],
  ["create", ["ttl", "expired"]],
]
