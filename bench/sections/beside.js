// A commit beside processes that write all the time: how long it waits for its turn.
import { join } from "node:path"
import { linesOf } from "../child-process.js"
import { available } from "../peers/better-sqlite3.js"
import { figure, table } from "../report/figures.js"
import { Missing } from "../report/missing.js"

const NUMBERS_OF_BUSY = [0, 1, 2]

export const title = "A commit beside other processes"

export async function measure({ folder, quick, save = () => {} }) {
  const ms = quick ? 1000 : 10_000
  const peers = [
    ["KeyVal", "keyval"],
    ["better-sqlite3 by hand", "better-sqlite3"],
  ].filter(([, name]) => name === "keyval" || available())
  const missing = new Missing()
  const rows = []
  const results = () => ({ ms, rows, missing: missing.found })
  for (const [title, name] of peers) {
    for (const busy of NUMBERS_OF_BUSY) {
      const found = await missing.attempt(`${title} beside ${busy}`, () => beside(folder, name, busy, ms))
      if (found) rows.push({ title, busy, ...found })
      await save(results())
    }
  }
  return results()
}

/** The lone one begins when the others write, and ends before them. */
async function beside(folder, name, busy, ms) {
  const file = join(folder, `${name}-${busy}.db`)
  console.error(`${name} beside ${busy}`)
  const others = []
  for (let at = 0; at < busy; at++) others.push(await ready([name, file, "busy", ms + 2000]))
  const lone = await (await ready([name, file, "lone", ms])).answer
  const sets = (await Promise.all(others.map(({ answer }) => answer))).map(({ sets }) => sets)
  return { ...lone, otherSets: sets.reduce((sum, one) => sum + one, 0) }
}

async function ready(args) {
  const lines = linesOf("beside.js", args)
  await lines.next()
  const answer = lines.next().then(async ({ value }) => {
    for await (const line of lines) throw new Error(`beside.js printed ${line} too`)
    return value
  })
  answer.catch(() => {}) // it is awaited when the lone one has ended
  return { answer }
}

export function markdown({ ms, rows }) {
  return [
    `## ${title}`,
    `Node, ${ms / 1000} s. One process sets at random moments; so many others set the whole time, KeyVal 64 at a time. Everybody syncs
every commit. How long a set of the lone one takes, in ms. KeyVal looks for its turn every 2 ms at the latest, SQLite by itself
up to 100 ms apart; both give up after 5 s ("refused").`,
    table(
      [
        "",
        "busy processes",
        "p50",
        "p99",
        "max",
        "sets of the lone one",
        "refused",
        "sets of the others a second",
      ],
      rows.map(({ title, busy, p50, p99, max, sets, refused, otherSets }) => [
        title,
        String(busy),
        ...[p50, p99, max].map(figure),
        String(sets),
        String(refused),
        Math.round((otherSets * 1000) / (ms + 2000)).toLocaleString("en"),
      ]),
    ),
  ].join("\n\n")
}
