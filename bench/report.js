// RESULTS.md and the plots, from results/*.json.
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { bullets } from "./figures.js"
import { comparisonPlot, growthPlot } from "./plots.js"

/** Writes the report of what was measured last, section by section, beside its `results` in `folder`. */
export async function report(sections, folder) {
  const file = (name) => join(folder, "results", `${name}.json`)
  const measured = sections.filter((name) => existsSync(file(name)))
  if (measured.length === 0) throw new Error("Nothing was measured yet: run npm run bench.")
  const data = Object.fromEntries(
    measured.map((name) => [name, JSON.parse(readFileSync(file(name), "utf8"))]),
  )
  const parts = []
  for (const name of measured) {
    const { markdown } = await import(`./sections/${name}.js`)
    parts.push(markdown(data[name]), `Measured in ${data[name].seconds} s on ${data[name].machine.Date}.`)
  }
  const head = [
    "# What KeyVal costs, and what its peers cost",
    "Written by `npm run bench`. Lower is faster. A machine is noisy, so ratios of one interleaved run count, not figures.",
    bullets(data[measured[0]].machine),
  ]
  writeFileSync(join(folder, "RESULTS.md"), `${[...head, ...parts].join("\n\n")}\n`)
  if (data.comparison) writeFileSync(join(folder, "plot.svg"), comparisonPlot(data.comparison))
  if (data.growth) writeFileSync(join(folder, "growth.svg"), growthPlot(data.growth))
  console.error(`Written in ${folder}: RESULTS.md and the plots.`)
}
