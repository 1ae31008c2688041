// The number of syncs that each peer requests, seen from outside: a peer that claims a sync per commit must
// show one.
import { spawn, spawnSync } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { runtimeCommand } from "../peer-process.js"
import { availablePeers } from "../peers.js"
import { table } from "../report/figures.js"
import { Missing } from "../report/missing.js"

const CALLS = ["fsync", "fdatasync", "msync", "sync_file_range"]
const ROUNDS = 100
/** A run takes seconds. `strace` passes the signal that ends it on to what it traces. */
const DEADLINE_MS = 5 * 60_000
const PROGRAM = join(import.meta.dirname, "../children/syncs.js")

export const title = "Syncs"

export async function measure({ folder, peers: chosen, save = () => {} }) {
  if (spawnSync("strace", ["-V"]).status !== 0) return { rounds: ROUNDS, found: null }
  const missing = new Missing()
  const found = []
  const results = () => ({ rounds: ROUNDS, found, missing: missing.found })
  for (const peer of await availablePeers({ chosen, skip: ["keyval-without-log", "bunqueue"], missing })) {
    console.error(peer.label)
    const counts = await missing.attempt(peer.label, () => countsOf(folder, peer))
    if (counts) found.push(counts)
    await save(results())
  }
  return results()
}

async function countsOf(folder, { name, label, runtime }) {
  const count = async (how) => {
    const [few, many] = [
      await syncs(folder, name, runtime, how, 0),
      await syncs(folder, name, runtime, how, ROUNDS),
    ]
    return Object.fromEntries(CALLS.map((call) => [call, many[call] - few[call]]))
  }
  const counts = { label, one: await count("one"), many: await count("many") }
  const total = Object.values(counts.one).reduce((sum, calls) => sum + calls)
  if (total < ROUNDS) throw new Error(`it does not sync every commit: ${total} syncs of ${ROUNDS}`)
  return counts
}

/** Counts of one process, opening and closing included. */
async function syncs(folder, name, runtime, how, rounds) {
  const [file, trace] = [join(folder, "syncs.db"), join(folder, "trace")]
  const { command, args } = runtimeCommand(runtime)
  const traced = ["-f", "-qq", "-o", trace, "-e", `trace=${CALLS.join(",")}`]
  const program = [command, ...args, PROGRAM, name, file, how, rounds].map(String)
  const child = spawn("strace", [...traced, ...program], {
    stdio: ["ignore", "ignore", "inherit"],
    timeout: DEADLINE_MS,
  })
  const ended = await new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message))
    child.on("close", (code, signal) => resolve(signal ?? code))
  })
  for (const suffix of ["", "-wal", "-shm", "-lock"]) rmSync(file + suffix, { recursive: true, force: true })
  if (ended !== 0) throw new Error(`strace of ${name} ended with ${ended}`)
  const text = readFileSync(trace, "utf8")
  return Object.fromEntries(CALLS.map((call) => [call, text.split(` ${call}(`).length - 1]))
}

export function markdown({ rounds, found }) {
  const head = `## ${title}`
  if (found === null) return `${head}\n\nNot counted: there is no strace here.`
  const callCounts = (counts) =>
    CALLS.filter((call) => counts[call] > 0)
      .map((call) => `${counts[call]} ${call}`)
      .join(", ") || "**none**"
  return [
    head,
    `What strace counts for ${rounds} sets that are awaited one by one, and for ${rounds} times 64 sets at once; what opening and closing
cost is taken off. \`fdatasync\` leaves out what is not needed to read the data back, such as times; it is the cheaper one.`,
    table(
      ["", `${rounds} sets, one at a time`, `${rounds} × 64 sets at once`],
      found.map(({ label, one, many }) => [label, callCounts(one), callCounts(many)]),
      "---",
    ),
  ].join("\n\n")
}
