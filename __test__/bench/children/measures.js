// measures.js <folder>: a run of the benchmark whose second peer hangs in the second repetition. It never
// ends.
import { measureSections } from "../../../bench/measure.js"
import { sectionOf } from "../../../bench/sections/index.js"
import { standIn } from "../stand-ins.js"

const roster = [standIn("first", "well"), standIn("second", "hangs:run:3")]
const load = async (name) => {
  const section = await sectionOf(name)
  const measure = (options) => section.measure({ ...options, roster, flush: () => {} })
  return { ...section, measure }
}
await measureSections({
  names: ["comparison"],
  options: { quick: true, rows: "get, one" },
  out: process.argv[2],
  load,
})
