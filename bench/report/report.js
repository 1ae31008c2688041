// RESULTS.md and the plots, from results/*.json.
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { sectionOf } from "../sections/index.js"
import { bullets } from "./figures.js"
import { missingMarkdown, reasonOf } from "./missing.js"
import { comparisonPlot, growthPlot } from "./plots.js"

/** Writes the report of what was measured last, section by section, beside its `results` in `folder`. */
export async function report(sections, folder, load = sectionOf) {
  const file = (name) => join(folder, "results", `${name}.json`)
  const measured = sections.filter((name) => existsSync(file(name)))
  if (measured.length === 0) throw new Error("Nothing was measured yet: run npm run bench.")
  const data = Object.fromEntries(
    measured.map((name) => [name, JSON.parse(readFileSync(file(name), "utf8"))]),
  )
  const parts = []
  for (const name of measured) parts.push(await sectionMarkdown(name, data[name], load))
  const head = [
    "# What KeyVal costs, and what its peers cost",
    "Written by `npm run bench`. Lower is faster. A machine is noisy, so ratios of one interleaved run count, not figures.",
    bullets(data[measured[0]].machine),
  ]
  writeFileSync(join(folder, "RESULTS.md"), `${[...head, ...parts].join("\n\n")}\n`)
  const plots = { comparison: ["plot.svg", comparisonPlot], growth: ["growth.svg", growthPlot] }
  for (const [name, [plot, draw]] of Object.entries(plots)) {
    const drawn = data[name] && !data[name].failed && draw(data[name])
    if (drawn) writeFileSync(join(folder, plot), drawn)
  }
}

/** A section that failed, or whose results are too few to be shown, is a heading and what is missing. */
export async function sectionMarkdown(name, data, load) {
  const missing = [...(data.missing ?? [])]
  const { title, markdown } = await load(name)
  let body = `## ${title}`
  try {
    if (!data.failed) body = markdown(data)
  } catch (error) {
    missing.push({ what: "the tables", reason: reasonOf(error) })
  }
  const unfinished = data.unfinished && "**Unfinished**: the run was ended before this section was."
  const measured = `Measured in ${data.seconds} s on ${data.machine.Date}.`
  return [body, missingMarkdown(missing), unfinished, measured].filter(Boolean).join("\n\n")
}
