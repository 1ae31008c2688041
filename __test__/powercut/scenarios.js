import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import { Recording } from "../faults/index.js"
import { readLog } from "../faults/log.js"
import { run, runOk } from "../support/runtimes.js"
import { tempFolder } from "../support/targets.js"

const MODES = ["ordered", "strict"]
const FULL = { runtime: "node", durability: "full" }
const NORMAL = { runtime: "bun", durability: "normal" }
const failing = (operation, rate, errno, more) =>
  ["db", "wal"].map((kind) => [operation, kind, { rate, errno, ...more }])
/**
 * The log is written into the file, and begun again, when it has 16 MB: before the last rounds, in which
 * nothing fails.
 */
const FILLER = { filler: 750_000, calmRounds: 4 }
/** The first sync of the database fails, and half of the others do. */
const HALF = ["sync", "db", { nth: 1, rate: 0.5 }]
const FIRST = { nth: 1, rate: 0.2 }

/**
 * The recorded processes, each with its runtime, its durability, and the options of workload.js. `begins`: a
 * file to begin with. `sees`: what must have been done to a file while the processes ran, opened the file, or
 * had a snapshot of it (`seenIn`).
 *
 * @type {Record<string, { processes: object[], store?: string, begins?: string, sees?: string[] }>}
 */
export const SCENARIOS = {
  "durability full": { processes: [FULL] },
  "durability normal": { processes: [{ ...NORMAL, reopen: 8 }] },
  "both durabilities on one file": { processes: [{ ...FULL, reopen: 10 }, NORMAL] },
  "two processes": { processes: [FULL, { ...FULL, runtime: "bun", reopen: 10 }] },
  queues: { processes: [{ ...FULL, listen: true, reopen: 10 }] },
  "queues in Bun": { processes: [{ ...FULL, runtime: "bun", listen: true }] },
  "a file of schema 1": { processes: [FULL], begins: "schema-1" },
  "a file of schema 2": { processes: [FULL], begins: "schema-2" },
  "new folders": { processes: [{ ...FULL, reopen: 6 }], store: "a/b/c/store.db" },
  "indexes and setMany": { processes: [{ ...FULL, calls: ["index", "load"], reopen: 10 }] },
  "a long log": { processes: [{ ...FULL, ...FILLER }], sees: ["passed db, running"] },
  backups: { processes: [{ ...FULL, calls: ["backup"] }] },
  "failed syncs": { processes: [{ ...FULL, faults: failing("sync", 0.1, "EIO"), isKilled: true }] },
  "failed syncs of checkpoints": {
    processes: [{ ...FULL, ...FILLER, faults: [HALF], isKilled: true }],
    sees: ["failed db, running", "passed db, running"],
  },
  // A checkpoint that copies a part of the log syncs nothing, and SQLite does not copy that part again: whose
  // sync fails later has lost it.
  "a failed sync after a checkpoint of a part of the log": {
    processes: [
      { ...FULL, filler: 1_500_000, snapshot: [6, 15], faults: [["sync", "db", { nth: 1 }]], isKilled: true },
    ],
    sees: ["wrote db, snapshot taken", "failed db, snapshot released", "passed db, snapshot released"],
  },
  "failed syncs of checkpoints, durability normal": {
    processes: [{ ...NORMAL, ...FILLER, faults: [HALF, ["sync", "wal", FIRST]], isKilled: true }],
    sees: ["failed wal, running", "failed db, running", "passed db, running"],
  },
  "failed syncs, indexes and setMany": {
    processes: [
      { ...FULL, calls: ["index", "load"], faults: failing("sync", 0.1, "EIO", { nth: 1 }), isKilled: true },
    ],
    sees: ["failed wal, running"],
  },
  "failed syncs of a migration": {
    processes: [
      { ...FULL, faults: failing("sync", 0.2, "EIO", { nth: 1 }), failsOpening: true, isKilled: true },
    ],
    begins: "schema-1",
    sees: ["failed wal, opening"],
  },
  // Each closing writes the log into the file.
  "failed syncs, then opened again": {
    processes: [
      { ...FULL, runtime: "bun", reopen: 3, faults: failing("sync", 0.2, "EIO", { nth: 1 }), isKilled: true },
    ],
    sees: ["failed wal, running", "failed db, running", "passed db, running"],
  },
  "failed writes": {
    processes: [{ ...FULL, faults: failing("write", 0.01, "EIO", { short: true }), isKilled: true }],
  },
  "a full disk": {
    processes: [{ ...FULL, runtime: "bun", faults: failing("write", 0.02, "ENOSPC", { short: true }) }],
  },
  "failed syncs beside a listener": {
    processes: [{ ...FULL, listen: true, faults: failing("sync", 0.1, "EIO"), isKilled: true }],
  },
  "two processes with failed syncs, one listening": {
    processes: ["node", "bun"].map((runtime) => ({
      ...FULL,
      runtime,
      listen: runtime === "node",
      faults: failing("sync", 0.1, "EIO"),
      isKilled: true,
    })),
  },
  // Whose sync fails is killed before it learns of it: the other finds a hole that nobody has announced.
  "a failed sync that nobody lives to tell of": {
    processes: [
      { ...FULL, listen: true, faults: [["sync", "wal", { nth: 10, kills: true }]], isKilled: true },
      { ...FULL, runtime: "bun", listen: true, isKilled: true, longer: 3 },
    ],
  },
}

const workload = fileURLToPath(new URL("workload.js", import.meta.url))
const checker = fileURLToPath(new URL("check.js", import.meta.url))

/**
 * Runs the workload of a scenario under the recorder, cuts the power, and looks at what is left: gives what
 * check.js printed, once a mode. If something is wrong, what repeats it is kept in the folder `kept`; see
 * `again`.
 */
export async function recordAndCut(scenario, options) {
  const { kept } = options
  rmSync(kept, { recursive: true, force: true })
  const [log, before] = ["log", "before"].map((name) => join(kept, name))
  const { checks, dispose } = await record(scenario, options)
  try {
    const seen = seenIn(checks[0].log)
    const missing = scenario.sees?.filter((one) => !seen.has(one)) ?? []
    if (missing.length > 0) throw new Error(`the workload had nothing that ${missing.join(", nor ")}`)
    const results = await Promise.all(checks.map(check))
    if (results.some(({ wrong }) => wrong.length > 0)) {
      cpSync(checks[0].log, log)
      cpSync(checks[0].before, before, { recursive: true })
      writeFileSync(join(kept, "checks.json"), JSON.stringify(checks.map((one) => ({ ...one, log, before }))))
    }
    return results
  } finally {
    dispose()
  }
}

/** The marks that begin a new phase, and the phase. */
const PHASES = {
  opened: "running",
  "snapshot taken": "snapshot taken",
  "snapshot released": "snapshot released",
}

/** The kinds of syncs and writes, and their phases: `passed db, running`, `wrote db, snapshot taken`. */
function seenIn(log) {
  let when = "opening"
  const seen = new Set()
  for (const { type, kind, result, text } of readLog(log)) {
    if (type === "mark") when = PHASES[JSON.parse(text).type] ?? when
    if (type === "sync") seen.add(`${result === 0 ? "passed" : "failed"} ${kind}, ${when}`)
    if (type === "write") seen.add(`wrote ${kind}, ${when}`)
  }
  return seen
}

/** Judges a recording that was kept again: the same cuts of the same log. */
export async function again(kept) {
  return Promise.all(JSON.parse(readFileSync(join(kept, "checks.json"), "utf8")).map(check))
}

/** Judges one recording; `options` are those of check.js. */
export function check(options) {
  return runOk("bun", checker, [JSON.stringify(options)], { timeoutMs: 600_000 })
}

/** Runs the workload; gives the options with which it is judged. */
export async function record({ processes, store = "store.db", begins }, { seed, rounds, states, kept }) {
  const place = tempFolder()
  const recording = new Recording(place.path, { seed })
  const [file, before] = [join(recording.folder, store), join(place.path, "before")]
  try {
    if (begins) {
      const older = new URL(`../data/${begins}.db.gz`, import.meta.url)
      writeFileSync(file, gunzipSync(readFileSync(older)))
    }
    cpSync(recording.folder, before, { recursive: true })
    await Promise.all(
      processes.map((one, at) =>
        work(recording, {
          ...one,
          file,
          name: `p${at}`,
          seed: seed + at,
          rounds: rounds * (one.longer ?? 1),
        }),
      ),
    )
  } catch (error) {
    place.dispose()
    throw error
  } finally {
    recording.close()
  }
  const durable = processes.flatMap(({ durability }, at) => (durability === "full" ? [`p${at}`] : []))
  const scenario = { store, begins, durable, isSure: durable.length === processes.length }
  const common = { log: recording.log, root: recording.folder, before, scenario, seed, states, kept }
  return { checks: MODES.map((mode) => ({ ...common, mode })), dispose: place.dispose }
}

async function work(recording, { runtime, ...options }) {
  const more = { env: recording.env, timeoutMs: 300_000 }
  const { code, signal, stderr } = await run(runtime, workload, [JSON.stringify(options)], more)
  const isRight = options.isKilled ? signal === "SIGKILL" : code === 0
  if (!isRight) throw new Error(`the workload ended with ${signal ?? code}: ${stderr}`)
}
