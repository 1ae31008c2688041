// growth.js <file> <most entries>: loads 10^3, 10^4, … entries and measures at each size; prints a line of
// JSON for each.
import { existsSync, statSync } from "node:fs"
import { Kv } from "../../dist/index.js"
import { Random } from "../random.js"

const [, , file, most] = process.argv
const kv = new Kv(`file:${file}`)
const random = new Random(1)
const key = (id) => ["n", id]
const sizeOf = (path) => (existsSync(path) ? statSync(path).size : 0)

function* from(first, end) {
  for (let id = first; id < end; id++) yield { key: key(id), value: { id, text: random.hex(32) } }
}

/**
 * Microseconds per call of `work`, which makes `calls` of them: the median of 9 rounds, after one to warm up.
 */
async function us(calls, work) {
  const rounds = []
  for (let round = 0; round < 10; round++) {
    const start = performance.now()
    await work()
    rounds.push(((performance.now() - start) * 1000) / calls)
  }
  return rounds.slice(1).toSorted((a, b) => a - b)[4]
}

const times = (count, make) => Array.from({ length: count }, make)

let loaded = 0
for (let entries = 1000; entries <= Number(most); entries *= 10) {
  const start = performance.now()
  await kv.setMany(from(loaded, entries))
  const loadMs = performance.now() - start
  loaded = entries
  const any = () => random.below(entries)
  const set = (id) => kv.set(key(id), { id, text: random.hex(32) })
  const step = {
    entries,
    loadMs,
    bytes: sizeOf(file) + sizeOf(`${file}-wal`),
    get: await us(2000, async () => {
      for (let at = 0; at < 2000; at++) await kv.get(key(any()))
    }),
    get64: await us(6400, async () => {
      for (let at = 0; at < 100; at++) await Promise.all(times(64, () => kv.get(key(any()))))
    }),
    set: await us(200, async () => {
      for (let at = 0; at < 200; at++) await set(any())
    }),
    set64: await us(3200, async () => {
      for (let at = 0; at < 50; at++) await Promise.all(times(64, () => set(any())))
    }),
    page: await us(50, async () => {
      for (let at = 0; at < 50; at++) await kv.paginate({ prefix: ["n"], start: key(any()) }, { limit: 100 })
    }),
  }
  process.stdout.write(`${JSON.stringify(step)}\n`)
}
await kv.close()
