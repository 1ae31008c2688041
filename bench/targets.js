/**
 * How many times faster KeyVal is to be than a peer, by row; the project's own goals. A peer in Node and in
 * Deno is compared with KeyVal in Node, one in Bun with KeyVal in Bun.
 */
export const targets = {
  "get, one at a time": { "deno-kv": 20, deno: 12, "better-sqlite3": 1.2, "bun-sqlite": 1.2, lmdb: 1 },
  "get, 64 at once": { "deno-kv": 12, deno: 6, "better-sqlite3": 2, "bun-sqlite": 2, lmdb: 1 },
  "getMany 100": { "better-sqlite3": 3, "bun-sqlite": 3, lmdb: 1.5 },
  "set, one at a time": { "deno-kv": 2.2, deno: 1.4, "better-sqlite3": 0.7, "bun-sqlite": 0.7, lmdb: 2 },
  "set, 64 at once": { "deno-kv": 9, deno: 8, "better-sqlite3": 6, "bun-sqlite": 6, lmdb: 1.5, redis: 1 },
  "counter +1, 64 at once": { "deno-kv": 8, deno: 7, "better-sqlite3": 5, "bun-sqlite": 5, redis: 1 },
  "atomic: 10 sets, 2 checks, 16 at once": { "deno-kv": 8, deno: 6, "better-sqlite3": 4, "bun-sqlite": 4 },
  "list 10,000, ms": { "deno-kv": 10, deno: 4, "better-sqlite3": 2, "bun-sqlite": 1, lmdb: 1 },
  "filtered list of 100,000, unindexed, ms": { "deno-kv": 20, "better-sqlite3": 0.77, "bun-sqlite": 0.77 },
  "filtered list of 100,000, indexed, 100 match, ms": {
    "deno-kv": 20,
    deno: 20,
    "better-sqlite3": 0.77,
    "bun-sqlite": 0.77,
  },
  "filtered list of 100,000, indexed, 1,000 match, ms": {
    "deno-kv": 20,
    deno: 20,
    "better-sqlite3": 0.77,
    "bun-sqlite": 0.77,
  },
  "delete a prefix of 10,000, ms": { "deno-kv": 50, deno: 30, "better-sqlite3": 1, "bun-sqlite": 1 },
  "enqueue, 64 at once": { "deno-kv": 8, deno: 7 },
  "enqueue → handled, a message": { "deno-kv": 12, deno: 10, redis: 8 },
  "queue latency, ms": { "deno-kv": 30, deno: 25 },
  "watch latency": { "deno-kv": 3, deno: 2 },
  "search in 100,000 documents, a rare word, ms": { "better-sqlite3": 0.77, "bun-sqlite": 0.77 },
  "search in 100,000 documents, a common word, ms": { "better-sqlite3": 0.77, "bun-sqlite": 0.77 },
  "search in 100,000 documents, 10,000 of a common word, ms": { "better-sqlite3": 0.77, "bun-sqlite": 0.77 },
}

/** The share that the change log may add to a set, 64 at once. */
export const LOG_COST = 0.2

/** Bounds of the sections that are not ratios, in their own units. */
export const bounds = {
  callP999Ms: 5,
  openMs: 20,
  importMs: 30,
  idleMb: 16,
  iterateMb: 32,
  loadMb: 32,
  watchMb: 32,
  queueMb: 32,
  otherProcessP95Ms: 25,
}
