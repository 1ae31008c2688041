// KeyVal beside its peers, and what it costs by itself. Writes bench/results/*.json, RESULTS.md and the plots.
//
//   node bench/run.js [--quick] [--only=comparison,growth,…] [--rows=get,list] [--peers=keyval,lmdb] [--report]
//     [--out=folder]
//
// --quick measures little and writes nothing; --only measures some sections, and the report keeps the others as they
// were; --rows measures rows whose names begin so; --report makes the report again without measuring; --out writes what
// was measured, however little, into another folder. KEYVAL_BENCH_DIR: the folder for databases; default the system's
// temporary folder.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { installPeers } from "./install.js"
import { describeMachine } from "./machine.js"
import { report } from "./report.js"

const here = import.meta.dirname
const SECTIONS = ["comparison", "live", "sizes", "growth", "loop", "beside", "memory", "start", "syncs"]
const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    out: { type: "string" },
    only: { type: "string" },
    rows: { type: "string" },
    peers: { type: "string" },
  },
})
const chosen = options.report ? [] : (options.only?.split(",") ?? SECTIONS)
const unknown = chosen.find((name) => !SECTIONS.includes(name))
if (unknown !== undefined) fail(`There is no section "${unknown}". There are: ${SECTIONS.join(", ")}.`)
if (!existsSync(join(here, "../dist/index.js"))) fail("dist/index.js is missing: run npm run build first.")

if (chosen.length > 0) installPeers()
const whole = !options.quick && options.rows === undefined && options.peers === undefined
const writes = whole || options.out !== undefined
const out = options.out ?? here
for (const name of chosen) {
  const folder = mkdtempSync(join(process.env.KEYVAL_BENCH_DIR ?? tmpdir(), "keyval-bench-"))
  try {
    const { measure, markdown } = await import(`./sections/${name}.js`)
    console.error(`\n== ${name}`)
    const began = performance.now()
    const results = await measure({ folder, ...options })
    const data = { machine: describeMachine(folder), seconds: seconds(began), ...results }
    console.log(markdown(data))
    if (writes) save(name, data)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
if (writes) await report(SECTIONS, out)
else console.error("bench/results and RESULTS.md are left as they are: only whole sections write them.")

function save(name, data) {
  mkdirSync(join(out, "results"), { recursive: true })
  writeFileSync(join(out, "results", `${name}.json`), `${JSON.stringify(data, null, 1)}\n`)
}

function seconds(began) {
  return Math.round((performance.now() - began) / 1000)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
