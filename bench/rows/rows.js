import { COUNTERS, ENTRIES, GROUP_SIZE, GROUPS, item, itemId, itemKey, newValue } from "../data.js"
import { indexRows } from "./indexes.js"
import { searchRows } from "./search.js"
import { aloneRows, besideRows, liveRows } from "./subscriptions.js"

/**
 * A measured operation. A row draws its inputs before the clock starts, calls the peer for each, and checks
 * the last result of each chunk, so that a no-op is not measured.
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {"ms"} [unit] how it is reported, if not in µs
 * @property {boolean} [latency] each operation is timed by itself; its figure is the median, and p95 a line
 * of its own
 * @property {number} [budgets] how many times its budget it is measured; default 1
 * @property {number} [atOnce] calls issued together; then all of them are awaited
 * @property {number} chunk inputs drawn, and timed, at a time
 * @property {(random: import("../random.js").Random) => any} input
 * @property {(peer: import("../children/peer.js").Peer) => any} [begin] makes what the calls work on, before
 * a run; default the peer
 * @property {(on: any) => any} [end] of a run
 * @property {(on: any, input: any) => any} [call]
 * @property {(on: any, inputs: any[], latencies: number[]) => any} [timed] what is timed, if it is not `call`
 * for each input; gives the last result, and adds latencies in µs
 * @property {(input: any, result: any) => boolean} check
 * @property {string} needs the peer's call; a peer without it has no figure
 * @property {(on: any, inputs: any[]) => any} [prepare] completes the inputs, before the clock
 * @property {(on: any, inputs: any[]) => any} [restore] puts back what the chunk took away
 */

const get = {
  needs: "get",
  chunk: 512,
  input: (random) => itemKey(random.below(ENTRIES)),
  call: (peer, key) => peer.get(key),
  check: (key, entry) => entry.value.id === itemId(key),
}

const getSync = { ...get, needs: "getSync", call: (peer, key) => peer.getSync(key) }

const getMany = (size) => ({
  needs: "getMany",
  chunk: 16,
  input: (random) => Array.from({ length: size }, () => itemKey(random.below(ENTRIES))),
  call: (peer, keys) => peer.getMany(keys),
  check: (keys, entries) =>
    entries.length === size && entries.every((e, i) => e.value.id === itemId(keys[i])),
})

const list10000 = {
  needs: "list",
  chunk: 1,
  input: (random) => random.below(GROUPS),
  call: async (peer, group) => {
    const seen = { count: 0, sum: 0 }
    await peer.list(["items", group], (entry) => {
      seen.count++
      seen.sum += entry.value.id - group * GROUP_SIZE
    })
    return seen
  },
  check: (_group, { count, sum }) => count === GROUP_SIZE && sum === (GROUP_SIZE * (GROUP_SIZE - 1)) / 2,
}

/** One item in a hundred: prices are 0 to 999.99. */
const filtered = {
  needs: "listBetween",
  chunk: 1,
  input(random) {
    const low = 10 * random.below(100)
    return [low, low + 9.99]
  },
  call: async (peer, bounds) => {
    const found = []
    await peer.listBetween(["items"], "price", bounds, ({ value }) => found.push(value.price))
    return found
  },
  check: ([low, high], found) =>
    Math.abs(found.length - ENTRIES / 100) < ENTRIES / 500 &&
    found.every((price) => price >= low && price <= high),
}

const set = {
  needs: "set",
  chunk: 256,
  input: (random) => {
    const id = random.below(ENTRIES)
    return { key: itemKey(id), value: newValue(id, random) }
  },
  call: (peer, { key, value }) => peer.set(key, value),
  check: (_input, result) => result.ok,
}

const counter = {
  needs: "add",
  chunk: 256,
  input: (random) => ["counters", random.below(COUNTERS)],
  call: (peer, key) => peer.add(key, 1),
  check: (_key, result) => result.ok,
}

const remove = {
  needs: "delete",
  chunk: 128,
  // A key may be drawn twice: 128 of 100,000 keys, so one delete in 1,500 finds nothing.
  input: (random) => itemKey(random.below(ENTRIES)),
  call: (peer, key) => peer.delete(key),
  check: () => true,
  restore: (peer, keys) => peer.load(keys.map((key) => item(itemId(key)))),
}

/** A typical commit of an app: a few keys are checked, several are written. */
const atomic = {
  needs: "atomic",
  chunk: 64,
  input: (random) => ({
    checked: [0, 1].map(() => ["counters", random.below(COUNTERS)]),
    sets: Array.from({ length: 10 }, () => set.input(random)),
  }),
  async prepare(peer, inputs) {
    for (const input of inputs) {
      const versions = await peer.versions(input.checked)
      input.checks = input.checked.map((key, at) => ({ key, versionstamp: versions[at] ?? null }))
    }
  },
  call: (peer, { checks, sets }) => peer.atomic(checks, sets),
  check: (_input, result) => result.ok,
}

const removePrefix = {
  needs: "deletePrefix",
  chunk: 1,
  input: (random) => random.below(GROUPS),
  call: (peer, group) => peer.deletePrefix(["items", group]),
  check: (_group, count) => count === GROUP_SIZE,
  async restore(peer, [group]) {
    await peer.load(Array.from({ length: GROUP_SIZE }, (_, at) => item(group * GROUP_SIZE + at)))
  },
}

/** @type {Row[]} */
export const rows = [
  { name: "get, one at a time", atOnce: 1, ...get },
  { name: "get, 64 at once", atOnce: 64, ...get },
  { name: "get without a promise", atOnce: 1, ...getSync },
  { name: "getMany 10", atOnce: 1, ...getMany(10) },
  { name: "getMany 100", atOnce: 1, ...getMany(100) },
  { name: "list 10,000, ms", unit: "ms", atOnce: 1, ...list10000 },
  { name: "filtered list of 100,000, unindexed, ms", unit: "ms", atOnce: 1, ...filtered },
  { name: "set, one at a time", atOnce: 1, ...set },
  { name: "set, 64 at once", atOnce: 64, ...set },
  { name: "counter +1, one at a time", atOnce: 1, ...counter },
  { name: "counter +1, 64 at once", atOnce: 64, ...counter },
  { name: "atomic: 10 sets, 2 checks, 16 at once", atOnce: 16, ...atomic },
  { name: "delete one key", atOnce: 1, ...remove },
  { name: "delete a prefix of 10,000, ms", unit: "ms", atOnce: 1, ...removePrefix },
  ...liveRows,
  ...aloneRows,
  ...besideRows,
  ...indexRows,
  ...searchRows,
]
