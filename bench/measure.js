// Measures section after section. Results are written as they arrive, so that a killed run leaves them; a
// section that fails is missing, with its reason, and the next one begins.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describeMachine } from "./machine.js"
import { reasonOf } from "./report/missing.js"
import { report, sectionMarkdown } from "./report/report.js"
import { SECTIONS, sectionOf } from "./sections/index.js"

/**
 * Measures the sections of these names, with the options of the command line. `out` is the folder for results
 * and report; without it nothing is written. Gives what is missing and should not be, as `{ what, reason }`.
 */
export async function measureSections({ names, options = {}, out, sections = SECTIONS, load = sectionOf }) {
  const lost = []
  for (const name of names) {
    console.error(`\n== ${name}`)
    const keep = async (data) => {
      if (out === undefined) return
      write(out, name, data)
      await report(sections, out, load)
    }
    const data = await measureOne(name, { options, load, keep })
    await keep(data)
    console.log(await sectionMarkdown(name, data, load))
    lost.push(...data.missing.filter(({ absent }) => !absent))
  }
  return lost
}

/** The results of a section before it failed are kept, with the reason of the failure. */
async function measureOne(name, { options, load, keep }) {
  const began = performance.now()
  const machine = describeMachine(tmpdir())
  let folder
  let partial
  try {
    folder = mkdtempSync(join(process.env.KEYVAL_BENCH_DIR ?? tmpdir(), "keyval-bench-"))
    Object.assign(machine, describeMachine(folder))
    const { measure } = await load(name)
    const head = () => ({ machine, seconds: seconds(began) })
    const save = async (results) => {
      partial = results
      await keep({ ...head(), ...results, unfinished: true })
    }
    const results = await measure({ folder, ...options, save })
    return { ...head(), missing: [], ...results }
  } catch (error) {
    console.error(error)
    const what = partial === undefined ? "the whole section" : "the rest of the section"
    const missing = [...(partial?.missing ?? []), { what, reason: reasonOf(error), absent: false }]
    return { machine, seconds: seconds(began), failed: partial === undefined, ...partial, missing }
  } finally {
    if (folder !== undefined) remove(folder)
  }
}

/** In one step, so that a kill leaves the old file or the new one. */
function write(out, name, data) {
  const file = join(out, "results", `${name}.json`)
  mkdirSync(join(out, "results"), { recursive: true })
  writeFileSync(`${file}.new`, `${JSON.stringify(data, null, 1)}\n`)
  renameSync(`${file}.new`, file)
}

function remove(folder) {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  } catch (error) {
    console.error(`${folder} could not be removed: ${reasonOf(error)}`)
  }
}

function seconds(began) {
  return Math.round((performance.now() - began) / 1000)
}
