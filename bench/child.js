// Holds one peer open and does what run.js asks, one command a line on stdin, one answer a line on stdout.
// Usage: node|bun child.js <peer> <database file>
import assert from "node:assert/strict"
import { createInterface } from "node:readline"
import { COUNTERS, ENTRIES, GROUP_SIZE, item, itemKey, newValue } from "./data.js"
import { Random } from "./random.js"
import { rows } from "./rows.js"

/**
 * What `open(path)` of a module in `peers/` gives. Calls may return values or promises; a peer with `synchronous: true`
 * is never awaited in a timed loop. The module also exports `title`, `runtimes` and `settings`; it imports what it
 * measures inside `open`, so that every runtime can read these.
 *
 * @typedef {object} Peer
 * @property {string} version
 * @property {boolean} [synchronous]
 * @property {(entries: Iterable<{ key: any[], value: any }>) => any} load writes many entries, not timed
 * @property {(key: any[]) => any} get gives `{ key, value }`, `value: null` if there is none
 * @property {(keys: any[][]) => any} getMany
 * @property {(prefix: any[], visit: (entry: { key: any[], value: any }) => void) => any} list
 * @property {(key: any[], value: any) => any} set gives `{ ok: true }` when it is on disk
 * @property {(key: any[], amount: number) => any} add to a counter; gives `{ ok: true }` when it is on disk
 * @property {(key: any[]) => any} counter gives the counter as a number
 * @property {(key: any[]) => any} delete this one key
 * @property {() => any} close
 */

const [, , name, path] = process.argv
const { open } = await import(`./peers/${name}.js`)

/** @type {Peer} */
let peer

const commands = {
  async open() {
    peer = await open(path)
    return { version: peer.version, runtime: process.versions.bun ?? process.versions.node }
  },

  async load() {
    await peer.load(preloaded())
  },

  /** Proves that the calls do what their names say. */
  async validate() {
    const [first, last, random] = [itemKey(0), itemKey(ENTRIES - 1), new Random(1)]
    assert.deepEqual((await peer.get(first)).value, item(0).value, "get")
    const both = await peer.getMany([last, first])
    assert.deepEqual([both[0].value, both[1].value], [item(ENTRIES - 1).value, item(0).value], "getMany")

    const value = newValue(0, random)
    await peer.set(first, value)
    assert.deepEqual((await peer.get(first)).value, value, "get after set")

    await peer.delete(first)
    assert.equal((await peer.get(first)).value, null, "get after delete")
    const indexes = []
    await peer.list(["items", 0], (entry) => indexes.push(entry.key[2]))
    const rest = Array.from({ length: GROUP_SIZE - 1 }, (_, i) => i + 1)
    assert.deepEqual(indexes, rest, "list after delete, in key order")

    for (let i = 0; i < 3; i++) await peer.add(["counters", COUNTERS], 1)
    assert.equal(await peer.counter(["counters", COUNTERS]), 3, "counter")
    await peer.load([item(0)])
  },

  /** Runs one row for `budgetMs` of measured time, after a tenth of it to warm up again: others ran in between. */
  async run({ row: rowName, seed, budgetMs }) {
    const row = rows.find(({ name }) => name === rowName)
    const random = new Random(seed)
    collectGarbage()
    await measure(row, random, budgetMs / 10)
    return measure(row, random, budgetMs)
  },

  async close() {
    await peer.close()
  },
}

/** Draws, times, checks and restores chunk after chunk; only the calls are on the clock. */
async function measure(row, random, budgetMs) {
  let operations = 0
  let elapsedMs = 0
  while (elapsedMs < budgetMs) {
    const inputs = Array.from({ length: row.chunk }, () => row.input(random))
    const start = performance.now()
    const last = await timed(row, inputs)
    elapsedMs += performance.now() - start
    operations += inputs.length
    assert(row.check(inputs.at(-1), last), `${name}, ${row.name}: a wrong result`)
    await row.restore?.(peer, inputs)
  }
  return { operations, elapsedMs }
}

/** The measured loop: `atOnce` calls are issued together and awaited together. Gives the last result. */
async function timed(row, inputs) {
  let result
  if (peer.synchronous) {
    for (const input of inputs) result = row.call(peer, input)
    return result
  }
  if (row.atOnce === 1) {
    for (const input of inputs) result = await row.call(peer, input)
    return result
  }
  for (let i = 0; i < inputs.length; i += row.atOnce) {
    const calls = inputs.slice(i, i + row.atOnce).map((input) => row.call(peer, input))
    result = (await Promise.all(calls)).at(-1)
  }
  return result
}

function* preloaded() {
  for (let id = 0; id < ENTRIES; id++) yield item(id)
}

/** One row's garbage is not billed to the next (Node is started with --expose-gc). */
function collectGarbage() {
  if (process.versions.bun) globalThis.Bun.gc(true)
  else globalThis.gc?.()
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line)
  try {
    const answer = await commands[command](options)
    process.stdout.write(`${JSON.stringify({ answer: answer ?? null })}\n`)
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: error.stack ?? String(error) })}\n`)
  }
}
process.exit() // run.js has closed stdin, or is gone
