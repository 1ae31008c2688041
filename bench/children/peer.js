// Holds one peer open and runs the commands of run.js: one command a line on stdin, one answer a line on
// stdout. Usage: node|bun|deno peer.js <module of peers/> <database file> <checkout that KeyVal is taken
// from>
import assert from "node:assert/strict"
import { rm } from "node:fs/promises"
import process from "node:process"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"
import { COUNTERS, ENTRIES, GROUP_SIZE, item, itemKey, newValue } from "../data.js"
import { Random } from "../random.js"
import { percentile } from "../report/figures.js"
import { rows } from "../rows/rows.js"

/**
 * The result of `open(path, root)` of a module in `peers/`. Calls return values or promises. A peer omits the
 * calls that it has no equivalent for. The module also exports `title`, `runtimes` and `settings`,
 * `available()` if it may be missing on a machine (`absent` says what is missing then), and `only`, names of
 * rows, if it is not in all of them; it imports its library inside `open`, so that every runtime can read
 * these exports.
 *
 * @typedef {object} Peer
 * @property {string} version
 * @property {(entries: Iterable<{ key: any[], value: any }>) => any} [load] writes many entries, not timed; a
 * peer has it, `get`, `getMany`, `set` and `delete`, or none of them
 * @property {(key: any[]) => any} [get] gives `{ key, value }`, `value: null` if there is none
 * @property {(key: any[]) => any} [getSync] the same without a promise
 * @property {(keys: any[][]) => any} [getMany]
 * @property {(prefix: any[], visit: (entry: { key: any[], value: any }) => void) => any} [list]
 * @property {(prefix: any[], field: string, bounds: [number, number], visit: (entry: { key: any[], value: any
 * }) => void) => any} [listBetween] the entries whose field is from the one to the other
 * @property {(key: any[], value: any) => any} [set] gives `{ ok: true }` when it is on disk
 * @property {(key: any[], amount: number) => any} [add] to a counter; gives `{ ok: true }` when it is on disk
 * @property {(key: any[]) => any} [counter] gives the counter as a number
 * @property {(keys: any[][]) => any} [versions] the versionstamps, for checks
 * @property {(checks: object[], sets: object[]) => any} [atomic] gives `{ ok: true }` when it is on disk
 * @property {(key: any[]) => any} [delete] this one key
 * @property {(prefix: any[]) => any} [deletePrefix] gives the number of entries
 * @property {(path: string, handler?: (value: any) => void, options?: { idle?: number, spread?: number }) =>
 * any} [queue] opens an empty store with a queue, and handles its messages if there is a handler; gives
 * `{ enqueue, close }`, and `enqueue(value)` gives `{ ok: true }` when it is on disk. With `hasQueues`:
 * `idle` is the number of other queues with a listener each, `spread` the number of queues that the messages
 * go to in turn
 * @property {true} [hasQueues] a store has several queues
 * @property {(path: string, kind: string, count: number) => any} [waiting] opens an empty store in which
 * `count` listeners, watches, feeds or consumers wait for something that never comes; gives `{ set, close }`
 * @property {(key: any[], report: (value: any) => void) => any} [watch] reports the key's new values; gives a
 * function that stops it
 * @property {(path: string) => any} [documents] holds `documents()` of `search-rows.js`; gives
 * `{ search, set, close }`: `search(word, limit)` gives the best documents, `set(document)` gives
 * `{ ok: true }` when document and words are on disk
 * @property {(path: string) => any} [shelves] holds `shelvedItems()` of `index-rows.js`, with an index of
 * their shelves where the peer has indexes; gives `{ listBetween, set, close }`:
 * `listBetween(first, last, visit)` visits the items on these shelves, in the order of keys
 * @property {true} [hasIndexes] `set` of the result of `shelves` updates an index
 * @property {number} [mostValueBytes] the largest value that the peer takes
 * @property {() => any} close
 */

/**
 * The longest that a row may last, as a multiple of its budget, including untimed work: a deleted prefix is
 * loaded again.
 */
const MOST_BUDGETS = 4
/** The total size of the values of one size. */
const SIZES_BYTES = 16 * 2 ** 20
/** Loaded in one commit; Deno's limit is 800 KiB. */
const LOAD_BYTES = 256 * 2 ** 10

const [, , module, path, root] = process.argv
const { open, title } = await import(pathToFileURL(module))

/** @type {Peer} */
let peer

let held

/** Documents with an index of their words, in a separate store that stays open. */
async function documents() {
  held ??= await peer.documents(`${path}-documents`)
  return held
}

let shelved

/** Items with an index of their shelves, in a separate store that stays open. */
async function shelves() {
  shelved ??= await peer.shelves(`${path}-shelves`)
  return shelved
}

/**
 * Each queue begins with an empty store of its own, so that no row gets the messages of another, and its
 * listener ends.
 */
async function emptyQueue(handler, options) {
  return peer.queue(await emptyFile("queue"), handler, options)
}

/** Waiters begin with an empty store of their own, so that they leave nothing in the way of another row. */
async function waiting(kind, count) {
  return peer.waiting(await emptyFile("waiting"), kind, count)
}

async function emptyFile(what) {
  const file = `${path}-${what}`
  for (const suffix of ["", "-wal", "-shm"]) await rm(file + suffix, { force: true })
  return file
}

const commands = {
  async open() {
    peer = await open(path, root)
    const { bun, deno, node } = process.versions
    return { version: peer.version, runtime: bun ?? deno ?? node, calls: Object.keys(peer) }
  },

  async load() {
    await peer.load?.(preloaded())
  },

  /** Checks that the calls do what their names say. */
  async validate() {
    if (peer.get) await validateEntries()
    if (peer.listBetween) await validateListBetween()
    if (peer.add) await validateCounter()
    if (peer.atomic) await validateAtomic(new Random(1))
    if (peer.deletePrefix) await validateDeletePrefix()
    if (peer.queue) await validateQueue()
    if (peer.watch) await validateWatch()
  },

  /**
   * Runs one row for `budgetMs` of measured time, after a tenth of it to warm up again, since other rows ran
   * in between. Gives µs per operation; of latencies the median and the 95th percentile.
   */
  async run({ row: rowName, seed, budgetMs }) {
    const row = rows.find(({ name }) => name === rowName)
    const random = new Random(seed)
    collectGarbage()
    const on = row.begin ? await row.begin({ ...peer, queue: emptyQueue, waiting, documents, shelves }) : peer
    try {
      await measure(row, on, random, budgetMs / 10)
      const { operations, elapsedMs, latencies } = await measure(
        row,
        on,
        random,
        budgetMs * (row.budgets ?? 1),
      )
      if (!row.latency) return { us: (elapsedMs * 1000) / operations }
      return { us: percentile(latencies, 50), p95: percentile(latencies, 95) }
    } finally {
      await row.end?.(on)
    }
  },

  /** Microseconds per get and per set, one at a time, of values of about this size. */
  async size({ bytes, seed, budgetMs }) {
    const random = new Random(seed)
    const count = Math.max(8, Math.min(1000, Math.floor(SIZES_BYTES / bytes)))
    const key = () => ["sizes", bytes, random.below(count)]
    const value = () => ({ text: random.hex(bytes) })
    if (bytes > (peer.mostValueBytes ?? Number.POSITIVE_INFINITY)) {
      await assert.rejects(async () => peer.set(key(), value()), "it takes more than it says")
      return { refused: true }
    }
    for (const numbers of slices(count, Math.max(1, Math.floor(LOAD_BYTES / bytes))))
      await peer.load(numbers.map((at) => ({ key: ["sizes", bytes, at], value: value() })))
    const chunk = Math.max(4, Math.min(64, count))
    const check = (_input, result) => result.ok || result.value.text.length === bytes
    const us = async (row) => {
      await measure(row, peer, random, budgetMs / 5)
      const { operations, elapsedMs } = await measure(row, peer, random, budgetMs)
      return (elapsedMs * 1000) / operations
    }
    return {
      get: await us({ atOnce: 1, chunk, input: key, call: (of, one) => of.get(one), check }),
      set: await us({
        atOnce: 1,
        chunk,
        input: () => ({ key: key(), value: value() }),
        call: (of, one) => of.set(one.key, one.value),
        check,
      }),
    }
  },

  async close() {
    await held?.close()
    await shelved?.close()
    await peer.close()
  },
}

async function validateEntries() {
  const [first, last] = [itemKey(0), itemKey(ENTRIES - 1)]
  assert.deepEqual((await peer.get(first)).value, item(0).value, "get")
  if (peer.getSync) assert.deepEqual(peer.getSync(first).value, item(0).value, "getSync")
  const both = await peer.getMany([last, first])
  assert.deepEqual([both[0].value, both[1].value], [item(ENTRIES - 1).value, item(0).value], "getMany")

  const value = newValue(0, new Random(1))
  await peer.set(first, value)
  assert.deepEqual((await peer.get(first)).value, value, "get after set")

  await peer.delete(first)
  assert.equal((await peer.get(first)).value, null, "get after delete")
  if (peer.list) await validateList()
  await peer.load([item(0)])
}

/** Expects the first item to be absent. */
async function validateList() {
  const indexes = []
  await peer.list(["items", 0], (entry) => indexes.push(entry.key[2]))
  const rest = Array.from({ length: GROUP_SIZE - 1 }, (_, i) => i + 1)
  assert.deepEqual(indexes, rest, "list after delete, in key order")
}

async function validateListBetween() {
  const keys = []
  await peer.listBetween(["items", 1], "price", [100, 200], ({ key }) => keys.push(key[2]))
  const items = Array.from({ length: GROUP_SIZE }, (_, at) => item(GROUP_SIZE + at))
  const expected = items.filter(({ value: { price } }) => price >= 100 && price <= 200)
  assert.deepEqual(
    keys,
    expected.map(({ key }) => key[2]),
    "a filtered list, in key order",
  )
}

async function validateCounter() {
  for (let i = 0; i < 3; i++) await peer.add(["counters", COUNTERS], 1)
  assert.equal(await peer.counter(["counters", COUNTERS]), 3, "counter")
}

async function validateAtomic(random) {
  const [key, other] = [itemKey(1), itemKey(2)]
  const [versionstamp] = await peer.versions([key])
  const value = newValue(2, random)
  assert.equal((await peer.atomic([{ key, versionstamp }], [{ key: other, value }])).ok, true, "atomic")
  assert.deepEqual((await peer.get(other)).value, value, "atomic writes")
  await peer.set(key, newValue(1, random))
  const late = await peer.atomic([{ key, versionstamp }], [{ key: other, value: null }])
  assert.equal(late.ok, false, "a check that fails")
  assert.deepEqual((await peer.get(other)).value, value, "a failed check writes nothing")
  await peer.load([item(1), item(2)])
}

async function validateDeletePrefix() {
  await peer.load([1, 2, 3].map((at) => ({ key: ["gone", 1, at], value: at })))
  await peer.load([{ key: ["gone", 10, 1], value: 0 }])
  assert.equal(await peer.deletePrefix(["gone", 1]), 3, "delete a prefix")
  assert.equal((await peer.get(["gone", 1, 2])).value, null, "delete a prefix")
  assert.equal((await peer.get(["gone", 10, 1])).value, 0, "delete a prefix, and no other")
}

async function validateQueue() {
  const sent = [1, 2, 3].map((number) => newValue(number, new Random(number)))
  const got = []
  const queue = await emptyQueue((value) => got.push(value))
  for (const value of sent) assert.equal((await queue.enqueue(value)).ok, true, "enqueue")
  await until(() => got.length === sent.length, "messages are handled")
  await queue.close()
  assert.deepEqual(
    got.toSorted((a, b) => a.id - b.id),
    sent,
    "messages",
  )
}

async function validateWatch() {
  const got = []
  await peer.set(["seen"], { number: 1 })
  const stop = await peer.watch(["seen"], ({ number }) => got.push(number))
  await peer.set(["seen"], { number: 2 })
  await until(() => got.at(-1) === 2, "the change is reported")
  await stop()
  await peer.set(["seen"], { number: 3 })
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(got.at(-1), 2, "a watch that was stopped reports nothing")
}

async function until(holds, what) {
  const end = performance.now() + 10_000
  while (!holds()) {
    assert(performance.now() < end, what)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Draws, times, checks and restores chunk after chunk; only the calls are timed. */
async function measure(row, on, random, budgetMs) {
  const latencies = []
  let operations = 0
  let elapsedMs = 0
  const end = performance.now() + MOST_BUDGETS * budgetMs
  do {
    const inputs = Array.from({ length: row.chunk }, () => row.input(random))
    await row.prepare?.(on, inputs)
    const start = performance.now()
    const last = await (row.timed ? row.timed(on, inputs, latencies) : timed(row, on, inputs))
    elapsedMs += performance.now() - start
    operations += inputs.length
    assert(row.check(inputs.at(-1), last), `${title}, ${row.name}: a wrong result`)
    await row.restore?.(on, inputs)
  } while (elapsedMs < budgetMs && performance.now() < end)
  return { operations, elapsedMs, latencies }
}

/**
 * The measured loop: `atOnce` calls are issued together and awaited together. Values are not awaited, only
 * promises. Gives the last result.
 */
async function timed(row, on, inputs) {
  let result
  for (let i = 0; i < inputs.length; i += row.atOnce) {
    if (row.atOnce === 1) {
      result = row.call(on, inputs[i])
      if (isPromise(result)) result = await result
    } else {
      const calls = inputs.slice(i, i + row.atOnce).map((input) => row.call(on, input))
      result = isPromise(calls[0]) ? (await Promise.all(calls)).at(-1) : calls.at(-1)
    }
  }
  return result
}

const isPromise = (value) => typeof value?.then === "function"

/** The numbers below `count`, at most `size` at a time. */
function* slices(count, size) {
  for (let first = 0; first < count; first += size)
    yield Array.from({ length: Math.min(size, count - first) }, (_, at) => first + at)
}

function* preloaded() {
  for (let id = 0; id < ENTRIES; id++) yield item(id)
}

/** Keeps one row's garbage out of the next row's time (Node is started with --expose-gc). */
function collectGarbage() {
  if (globalThis.Bun) globalThis.Bun.gc(true)
  else globalThis.gc?.()
}

const lines = createInterface({ input: process.stdin })
lines.on("close", () => process.exit()) // run.js has ended; also while a command hangs
for await (const line of lines) {
  const { command, ...options } = JSON.parse(line)
  try {
    const answer = await commands[command](options)
    process.stdout.write(`${JSON.stringify({ answer: answer ?? null })}\n`)
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: error.stack ?? String(error) })}\n`)
  }
}
