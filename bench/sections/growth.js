// How the cost of an operation grows with the number of entries.
import { join } from "node:path"
import { linesOf } from "../child-process.js"
import { figure, table } from "../report/figures.js"

const NAMES = ["get", "get64", "set", "set64", "page"]

export const title = "Growth"

export async function measure({ folder, quick, save = () => {} }) {
  const steps = []
  for await (const step of linesOf("growth.js", [join(folder, "growth.db"), quick ? 1e5 : 1e7])) {
    console.error(`${step.entries.toLocaleString("en")} entries`)
    steps.push(step)
    await save({ steps })
  }
  return { steps }
}

export function markdown({ steps }) {
  const rows = steps.map((step) => [
    step.entries.toLocaleString("en"),
    ...NAMES.map((name) => figure(step[name])),
    (step.bytes / 1e6).toFixed(1),
    (step.loadMs / 1000).toFixed(1),
  ])
  return [
    `## ${title}`,
    `KeyVal in Node; µs an operation, the median of 9 rounds; values of about 50 bytes, random keys. "Loaded" is the time of
\`setMany\` for what the row has more than the one before.`,
    table(
      [
        "entries",
        "get",
        "get, 64 at once",
        "set",
        "set, 64 at once",
        "page of 100",
        "file and log, MB",
        "loaded, s",
      ],
      rows,
    ),
    "![Time an operation by the size of the store](growth.svg)",
  ].join("\n\n")
}
