// Processes whose files fail: see `withFaults`.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { optional } from "../support/optional.js"
import { root, run, runOk, start } from "../support/runtimes.js"
import { tempFolder } from "../support/targets.js"
import { Control } from "./control.js"
import { readLog } from "./log.js"

const here = dirname(fileURLToPath(import.meta.url))

/**
 * Options of a test that needs the shim. Where there is none (not Linux, no C compiler) it is skipped, and
 * says so.
 */
export const needsFaults = process.versions.bun
  ? { skip: "runs under Node, which starts both" }
  : optional("cc")

/** The path of the shim, which is compiled if it is missing or older than its source. */
export function shim() {
  const source = join(here, "shim.c")
  const name = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 16)
  const folder = join(root, "target", "faults")
  const library = join(folder, `shim-${name}.so`)
  if (existsSync(library)) return library
  mkdirSync(folder, { recursive: true })
  // Several test processes may do this at once.
  const unfinished = `${library}.${process.pid}`
  const { status, stderr } = spawnSync(
    "cc",
    ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", unfinished, source, "-pthread"],
    { encoding: "utf8" },
  )
  if (status !== 0) throw new Error(`the shim does not compile: ${stderr}`)
  renameSync(unfinished, library)
  return library
}

/**
 * A recording: a folder whose files are watched, the log of what is done to them, and the control of what
 * fails.
 */
export class Recording {
  #control

  /** `place` holds the log and the control; `folder`, inside of it, is watched. */
  constructor(place, { seed = 1 } = {}) {
    this.folder = join(realpathSync(place), "files")
    mkdirSync(this.folder, { recursive: true })
    this.log = join(place, "log")
    this.control = join(place, "control")
    writeFileSync(this.log, "")
    this.#control = Control.create(this.control, seed)
  }

  get faults() {
    return this.#control
  }

  /** The environment of a process that is recorded. */
  get env() {
    return {
      ...process.env,
      LD_PRELOAD: [shim(), process.env.LD_PRELOAD].filter(Boolean).join(":"),
      KEYVAL_FAULTS_FOLDER: this.folder,
      KEYVAL_FAULTS_LOG: this.log,
      KEYVAL_FAULTS_CONTROL: this.control,
    }
  }

  events() {
    return readLog(this.log)
  }

  close() {
    this.#control.close()
  }
}

/**
 * Gives a folder whose files can be made to fail, in processes that are started for it:
 *
 *     test("a failed sync is reported", needsFaults, () =>
 *       withFaults(async ({ faults, play }) => {
 *         faults.fail("sync", "wal", { nth: 2 })
 *         const reported = await play("bun", async ({ Kv, file }) => {
 *           const kv = new Kv(file)
 *           await kv.set(["a"], 1)
 *           const outcome = await kv.set(["b"], 1).catch((error) => error.outcome)
 *           await kv.close()
 *           return outcome
 *         })
 *         assert.equal(reported, "unknown")
 *         assert.equal(faults.injected("sync", "wal"), 1)
 *       }))
 *
 * - `faults`: what fails, and counts; see `Control`. Nothing fails at first.
 * - `play(runtime, program, args?, options?)`: runs a function in a process of its own and gives what it
 *   returns (as JSON). The function is handed over as text, so it uses nothing from outside but
 *   `{ Kv, file, folder, args, faults, mark, setClock, sweep }`. `mark("a 1")` writes a line into the log,
 *   behind everything that has happened.
 * - `run`, `runOk`, `start`: a program in a process, as in `support/runtimes.js`; `started(program, args)`
 *   are the arguments of `start` for a function.
 * - `file`, `folder`: a file for a store, and the folder that is watched. `events()`: the log, in one order.
 *
 * This process itself is not under the shim: its own files never fail.
 */
export async function withFaults(work, options) {
  const place = tempFolder()
  const recording = new Recording(place.path, options)
  const { env, folder } = recording
  const file = join(folder, "store.db")
  const inEnv = (one) => ({ ...one, env: { ...env, ...one?.env } })
  let programs = 0
  const started = (program, args = []) => {
    const path = join(place.path, `program-${++programs}.mjs`)
    writeFileSync(path, `export default ${program}\n`)
    return [player, [file, path, JSON.stringify(args)]]
  }
  try {
    return await work({
      folder,
      file,
      faults: recording.faults,
      events: () => recording.events(),
      started,
      start: (runtime, program, args, more) => start(runtime, program, args, inEnv(more)),
      run: (runtime, program, args, more) => run(runtime, program, args, inEnv(more)),
      runOk: (runtime, program, args, more) => runOk(runtime, program, args, inEnv(more)),
      play: (runtime, program, args, more) => runOk(runtime, ...started(program, args), inEnv(more)),
    })
  } finally {
    recording.close()
    place.dispose()
  }
}

const player = join(here, "player.js")
