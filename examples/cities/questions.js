import { deepStrictEqual } from "node:assert"
import { cityKey } from "./load.js"
import { formatNumber } from "./progress.js"

const COUNTRIES = ["IN", "US", "BR", "NG", "DE"]
const MILLION = 1_000_000

/** A prefix list: everything under a key. */
const region = {
  question: "How many cities has Bavaria, and which are the largest?",
  async ask(kv) {
    const cities = []
    for await (const { value } of kv.list(["city", "DE", "02"])) cities.push(value)
    return summary(cities)
  },
  check(answer, cities) {
    deepStrictEqual(answer, summary(cities.filter((c) => c.country === "DE" && c.adminCode === "02")))
  },
  show: ({ count, largest }) => [`${formatNumber(count)} cities`, ...largest],
}

/** A range of the index, read backwards, then the cities that it points to from one snapshot. */
const range = {
  question: "Which cities have between 5 and 6 million people, largest first?",
  async ask(kv) {
    const keys = []
    const fiveToSix = { start: ["by-population", 5 * MILLION], end: ["by-population", 6 * MILLION] }
    for await (const { value: key } of kv.list(fiveToSix, { reverse: true })) keys.push(key)
    const cities = await kv.getMany(keys)
    return cities.map(({ value }) => placeAndPeople(value))
  },
  check(answer, cities) {
    const found = cities.filter((c) => c.population >= 5 * MILLION && c.population < 6 * MILLION)
    const sorted = found.sort((a, b) => b.population - a.population || b.cityId - a.cityId)
    deepStrictEqual(answer, sorted.map(placeAndPeople))
  },
  show: (answer) => answer,
}

/** Two pages: the cursor of the first is where the second begins. */
const pages = {
  question: "What are the first two pages of Italy, five cities a page?",
  async ask(kv) {
    const first = await kv.paginate(["city", "IT"], { limit: 5 })
    if (!first.hasMore) return [names(first.entries), []]
    const second = await kv.paginate(["city", "IT"], { limit: 5, cursor: first.cursor })
    return [names(first.entries), names(second.entries)]
  },
  check(answer, cities) {
    const italian = cities.filter((c) => c.country === "IT").sort(byKey)
    const expected = italian.map((c) => c.name)
    deepStrictEqual(answer, [expected.slice(0, 5), expected.slice(5, 10)])
  },
  show: (answer) => answer.map((page, i) => `page ${i + 1}: ${page.join(", ")}`),
}

/** Counters were summed up by the commits that wrote the cities: ten point reads, whatever the size. */
const counters = {
  question: "How many cities and people are in five countries? From the counters:",
  async ask(kv) {
    const entries = await kv.getMany(
      COUNTRIES.flatMap((country) => [
        ["count", country],
        ["population", country],
      ]),
    )
    const numbers = entries.map(({ value }) => Number(value ?? 0n)) // counters are bigints
    return COUNTRIES.map((country, i) => ({ country, cities: numbers[2 * i], people: numbers[2 * i + 1] }))
  },
  check: checkCountries,
  show: showCountries,
}

/** The same from the cities themselves. */
const recount = {
  question: "The same, counted again city by city:",
  async ask(kv) {
    const answer = []
    for (const country of COUNTRIES) {
      const cities = await kv.count(["city", country])
      let people = 0
      for await (const { value } of kv.list(["city", country])) people += value.population
      answer.push({ country, cities, people })
    }
    return answer
  },
  check: checkCountries,
  show: showCountries,
}

/** Each asks the database, checks the answer against the raw cities, and shows it as lines. */
export const questions = [region, range, pages, counters, recount]

function checkCountries(answer, cities) {
  const expected = COUNTRIES.map((country) => {
    const found = cities.filter((c) => c.country === country)
    return { country, cities: found.length, people: found.reduce((sum, c) => sum + c.population, 0) }
  })
  deepStrictEqual(answer, expected)
}

function showCountries(answer) {
  return answer.map(
    ({ country, cities, people }) =>
      `${country}  ${formatNumber(cities)} cities, ${formatNumber(people)} people`,
  )
}

function summary(cities) {
  const largest = cities.sort((a, b) => b.population - a.population).slice(0, 3)
  return { count: cities.length, largest: largest.map(placeAndPeople) }
}

function placeAndPeople({ name, country, population }) {
  return `${name} (${country}) ${formatNumber(population)}`
}

function names(entries) {
  return entries.map(({ value }) => value.name)
}

/** The order of `cityKey`: region, then number. */
function byKey(a, b) {
  const [, , regionA, idA] = cityKey(a)
  const [, , regionB, idB] = cityKey(b)
  if (regionA !== regionB) return regionA < regionB ? -1 : 1
  return idA - idB
}
