// Power cuts, for a number of seconds: `node scripts/powercut.mjs [seconds]`. Workloads run under a recorder
// of file operations; the disk is rebuilt as of many moments, and each state is opened and checked.
// KEYVAL_SEED repeats the choices, though not the timing of the machine; `--again=<folder>` checks a kept
// recording again.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { needsFaults } from "../__test__/faults/index.js"
import { again, recordAndCut, SCENARIOS } from "../__test__/powercut/scenarios.js"
import { Random } from "../__test__/support/random.js"
import { root } from "./support.mjs"

const [given] = process.argv.slice(2)
const AGAIN = given?.startsWith("--again=") ? given.slice("--again=".length) : undefined
const SECONDS = Number(AGAIN ? 0 : (given ?? 60))
const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 30))
const ROUNDS = 40
/** States checked per recording and mode. */
const STATES = 40
const SHOWN = 3
const KINDS = ["lost", "back", "torn", "order", "opens", "integrity", "log", "threw"]

const sum = { states: 0, wrong: 0, failedSyncs: 0, kinds: {}, modes: {} }

function take(name, results) {
  for (const { mode, states, failedSyncs, wrong } of results) {
    sum.states += states
    sum.wrong += wrong.length
    sum.failedSyncs += failedSyncs
    sum.modes[mode] ??= { states: 0, wrong: 0 }
    sum.modes[mode].states += states
    sum.modes[mode].wrong += wrong.length
    for (const { reasons } of wrong)
      for (const kind of new Set(reasons.map((reason) => reason.split(":")[0])))
        sum.kinds[kind] = (sum.kinds[kind] ?? 0) + 1
    for (const { moment, cut, reasons, folder } of wrong.slice(0, SHOWN))
      console.error(`  WRONG ${name}, ${mode}, event ${moment}, ${cut}: ${reasons.join("; ")}\n    ${folder}`)
  }
}

if (needsFaults.skip) {
  console.log(`powercut: ${needsFaults.skip}`)
  process.exit(1)
}
if (!AGAIN && !(SECONDS > 0)) {
  console.error("usage: npm run powercut -- [seconds | --again=<folder that was kept>]")
  process.exit(2)
}
const end = Date.now() + SECONDS * 1000
const kept = join(root, "target/powercut", `${SEED}`)
if (AGAIN) take(AGAIN, await again(AGAIN))
else console.log(`powercut: ${SECONDS} s, KEYVAL_SEED=${SEED}`)
const names = new Random(SEED).shuffle(Object.keys(SCENARIOS))
for (let run = 0; Date.now() < end; run++) {
  const name = names[run % names.length]
  const seed = SEED + Math.floor(run / names.length)
  const folder = join(kept, `${run}-${name.replaceAll(" ", "-")}`)
  const results = await recordAndCut(SCENARIOS[name], { seed, rounds: ROUNDS, states: STATES, kept: folder })
  take(name, results)
  const wrong = results.reduce((all, one) => all + one.wrong.length, 0)
  console.log(`  ${name}: ${results.length * STATES} states, ${wrong} wrong`)
}
const modes = Object.entries(sum.modes).map(
  ([mode, { states, wrong }]) => `${mode} ${wrong} of ${states} wrong`,
)
const kinds = KINDS.map((kind) => `${kind} ${sum.kinds[kind] ?? 0}`)
console.log(
  `powercut: KEYVAL_SEED=${SEED}, ${sum.states} states, ${sum.failedSyncs} failed syncs; ${kinds.join(", ")}; ${modes.join(", ")}`,
)
if (sum.wrong > 0) console.error(`Kept to look at, and for --again: ${AGAIN ?? kept}`)
else rmSync(kept, { recursive: true, force: true })
process.exit(sum.wrong > 0 ? 1 : 0)
