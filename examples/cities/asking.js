import { deepStrictEqual, ok, strictEqual } from "node:assert"
import { formatNumber } from "./progress.js"

const MILLION = 1_000_000
const PORTS = { featureCode: { $in: ["PPL", "PPLA", "PPLA2", "PPLC"] }, name: { $containsi: "PORT" } }

/** A filter: every city is read, and only what matches comes to JavaScript. */
const filtered = {
  question: 'Which cities have "port" in their name, in any case, and more than 200,000 people?',
  async ask(kv) {
    const where = { ...PORTS, population: { $gt: MILLION / 5 } }
    return { names: await names(kv.list(["city"], { where })), ...(await kv.explain(["city"], where)) }
  },
  check({ names: found, rowsRead }, cities) {
    const codes = PORTS.featureCode.$in
    const right = cities.filter(
      (c) => codes.includes(c.featureCode) && /port/i.test(c.name) && c.population > MILLION / 5,
    )
    deepStrictEqual(found, right.map(({ name }) => name).sort())
    strictEqual(rowsRead, cities.length)
  },
  show: ({ names: found, rowsRead }) => [found.join(", "), `${formatNumber(rowsRead)} cities read`],
}

/** The same with an ordered index: few cities are read. */
const indexed = {
  question: "Which cities have 9 million people or more? First an index of the population is made",
  async ask(kv) {
    await kv.createIndex(["city"], { on: ["population"] })
    const where = { population: { $gte: 9 * MILLION } }
    return { names: await names(kv.list(["city"], { where })), ...(await kv.explain(["city"], where)) }
  },
  check({ names: found, index, rowsRead }, cities) {
    deepStrictEqual(
      found,
      cities
        .filter((c) => c.population >= 9 * MILLION)
        .map(({ name }) => name)
        .sort(),
    )
    strictEqual(index.name, "population")
    strictEqual(rowsRead, found.length)
  },
  show: ({ names: found, rowsRead }) => [found.join(", "), `${formatNumber(rowsRead)} cities read`],
}

/** Full-text search, best match first, with a filter on what it finds. */
const searched = {
  question:
    'Which cities are called "san jose", with or without accents? First an index of the words is made',
  async ask(kv) {
    await kv.createIndex(["city"], { fields: ["name", "altName"] })
    const found = []
    const where = { population: { $gt: MILLION / 10 } }
    for await (const { value } of kv.search(["city"], "san jose", { where })) found.push(value.name)
    return found
  },
  check(found, cities) {
    const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase()
    const words = (city) => new Set(plain(`${city.name} ${city.altName}`).split(/[^\p{L}\p{N}]+/u))
    const right = cities.filter((city) => {
      const all = words(city)
      return all.has("san") && all.has("jose") && city.population > MILLION / 10
    })
    deepStrictEqual(found.toSorted(), right.map(({ name }) => name).sort())
    ok(found.length > 0)
  },
  show: (found) => [found.join(", ")],
}

export const asking = [filtered, indexed, searched]

async function names(list) {
  const found = []
  for await (const { value } of list) found.push(value.name)
  return found.sort()
}
