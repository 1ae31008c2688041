// KeyVal beside its peers, and what it costs by itself. Writes bench/results/*.json, RESULTS.md and the
// plots.
//
//   node bench/run.js [--quick] [--only=comparison,growth,…] [--rows=get,list] [--peers=keyval,lmdb]
//     [--against=folder] [--report] [--out=folder]
//
// --quick measures little and writes nothing; --only measures some sections, and the report keeps the others
// as they were; --rows measures rows whose names begin so; --against takes the KeyVal of another checkout,
// built there, as one more peer of the comparison; --report makes the report again without measuring; --out
// writes what was measured, however little, into another folder. KEYVAL_BENCH_DIR: the folder for databases;
// default the system's temporary folder.
//
// A peer or section that fails is left out and named in the report, and the run ends with 1.
import { existsSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { installPeers } from "./install.js"
import { measureSections } from "./measure.js"
import { report } from "./report/report.js"
import { SECTIONS } from "./sections/index.js"

const here = import.meta.dirname
const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    out: { type: "string" },
    only: { type: "string" },
    rows: { type: "string" },
    peers: { type: "string" },
    against: { type: "string" },
  },
})
const names = options.report ? [] : (options.only?.split(",") ?? SECTIONS)
const unknown = names.find((name) => !SECTIONS.includes(name))
if (unknown !== undefined) fail(`There is no section "${unknown}". There are: ${SECTIONS.join(", ")}.`)
for (const folder of [join(here, ".."), options.against])
  if (folder !== undefined && !existsSync(join(folder, "dist/index.js")))
    fail(`${join(folder, "dist/index.js")} is missing: run npm run build there first.`)

if (names.length > 0) installPeers()
const some = ["rows", "peers", "against"].some((name) => options[name] !== undefined)
const writes = options.report || (!options.quick && !some) || options.out !== undefined
const out = writes ? (options.out ?? here) : undefined
const lost = await measureSections({ names, options, out })
if (options.report) await report(SECTIONS, out)
if (writes) console.error(`Written in ${out}: results, RESULTS.md and the plots.`)
else console.error("bench/results and RESULTS.md are left as they are: only whole sections write them.")
for (const { what, reason } of lost) console.error(`Missing: ${what}: ${reason}`)
if (lost.length > 0) process.exitCode = 1

function fail(message) {
  console.error(message)
  process.exit(1)
}
