// A commit beside many waiters for something else in the same process: whether its cost grows with their
// number.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { answerOf } from "../child-process.js"
import { runtimeCommand } from "../peer-process.js"
import { figure, median, table } from "../report/figures.js"
import { Missing } from "../report/missing.js"

const COUNTS = [1, 10, 1000]
const RUNTIMES = { node: "Node", bun: "Bun" }

/** The names by which `children/waiters.js` knows them. */
const KINDS = [
  "watches, a set",
  "feeds, a set",
  "consumers, a set",
  "loops that wait for a lease, a set",
  "loops that wait for a lease, a message",
  "locks that are held, a set",
  "listeners of other queues, a set",
  "listeners of other queues, a message",
  "listeners of queues with a delayed message, a set",
  "listeners of queues with a delayed message, a message",
  "listeners of the same queue, a message",
]

export const title = "A commit beside those who wait"

export async function measure({ folder, quick, against, save = () => {} }) {
  const ms = quick ? 1000 : 5000
  const here = join(import.meta.dirname, "../..")
  const checkouts = { KeyVal: here, ...(against && { [against]: against }) }
  const missing = new Missing()
  const rows = []
  const results = () => ({ ms, rows, missing: missing.found })
  for (const kind of KINDS) {
    for (const runtime of Object.keys(RUNTIMES)) {
      for (const [checkout, root] of Object.entries(checkouts)) {
        const name = `${checkout}, ${runtime}: ${kind}`
        console.error(name)
        const stores = join(folder, String(rows.length))
        mkdirSync(stores)
        const { command, args: flags } = runtimeCommand(runtime)
        const args = [root, stores, kind, ms, ...COUNTS]
        const found = await missing.attempt(name, () => answerOf("waiters.js", args, { command, flags }))
        if (found) rows.push({ kind, runtime, checkout, ...compared(found) })
        await save(results())
      }
    }
  }
  return results()
}

/**
 * The cost beside one waiter, and the factor beside more: of each round alone, since a machine is slower at
 * times.
 */
function compared([one, ...more]) {
  const of = (member) => ({
    one: median(one.turns.map((turn) => turn[member])),
    more: more.map(({ turns }) => median(turns.map((turn, at) => turn[member] / one.turns[at][member]))),
  })
  return { rounds: one.turns.length, time: of("us"), cpu: of("cpuUs") }
}

export function markdown({ ms, rows }) {
  const more = COUNTS.slice(1).map((count) => `beside ${count.toLocaleString("en")}`)
  const times = ({ time, cpu }) => time.more.map((one, at) => `${figure(one)}× (${figure(cpu.more[at])}×)`)
  const checkouts = new Set(rows.map(({ checkout }) => checkout))
  return [
    `## ${title}`,
    `${ms / 1000} s a row; a file on disk, one call at a time. Beside one that waits in the same process for something that does not
come, in µs (in brackets: time of the process's threads on the processors), and how many times as much beside more of them: stores
of 1, 10 and 1,000 take turns, and the median of the rounds' ratios counts.`,
    table(
      ["", ...(checkouts.size > 1 ? ["checkout"] : []), "runtime", "beside 1", ...more],
      rows.map((row) => [
        row.kind,
        ...(checkouts.size > 1 ? [row.checkout] : []),
        RUNTIMES[row.runtime],
        `${figure(row.time.one)} (${figure(row.cpu.one)})`,
        ...times(row),
      ]),
    ),
  ].join("\n\n")
}
