// KeyVal beside its peers: every repetition runs each row on every peer before the next repetition begins, so that a
// noisy neighbour disturbs all alike. Ratios of one run decide; absolute figures only give the scale.
//
//   node bench/run.js [--quick] [--peers=deno-kv,bun-sqlite]
//
// KEYVAL_BENCH_DIR: the folder to write to; default the system's temporary folder.
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { PeerProcess } from "./peer-process.js"
import { describeMachine, markdown } from "./report.js"
import { rows } from "./rows.js"

const here = import.meta.dirname
const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, peers: { type: "string" } },
})
const repetitions = options.quick ? 3 : 5
const budgetMs = options.quick ? 100 : 1000

installPeers()
const names = chosenPeers()
const folder = mkdtempSync(join(process.env.KEYVAL_BENCH_DIR ?? tmpdir(), "keyval-bench-"))
const peers = []
try {
  await start()
  const samples = await measure()
  const report = markdown({ machine: describeMachine(folder), peers, rows, samples, repetitions, budgetMs })
  console.log(report)
  if (options.quick || options.peers) {
    console.error("bench/RESULTS.md is left as it is: only a full run writes it.")
  } else {
    writeFileSync(join(here, "RESULTS.md"), report)
    console.error("Written to bench/RESULTS.md.")
  }
} finally {
  for (const peer of peers) peer.kill()
  rmSync(folder, { recursive: true, force: true })
}

function installPeers() {
  if (existsSync(join(here, "node_modules"))) return
  console.error("Installing the peers (npm ci in bench/) …")
  const npm = spawnSync("npm", ["ci"], {
    cwd: here,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  })
  if (npm.status !== 0) process.exit(npm.status ?? 1)
}

/** Names of modules in `peers/`, ours first. */
function chosenPeers() {
  const all = readdirSync(join(here, "peers")).map((file) => file.replace(/\.js$/, ""))
  const chosen = options.peers?.split(",") ?? all
  const unknown = chosen.find((name) => !all.includes(name))
  if (unknown !== undefined) fail(`There is no peer "${unknown}". There are: ${all.join(", ")}.`)
  if (chosen.includes("keyval") && !existsSync(join(here, "../dist/index.js"))) {
    fail(
      "dist/index.js is missing: run npm run build first, or leave KeyVal out with --peers=deno-kv,bun-sqlite.",
    )
  }
  return chosen.sort((a, b) => Number(b === "keyval") - Number(a === "keyval"))
}

/** Starts a process for each peer and runtime, loads its data, proves it right and warms it up. */
async function start() {
  for (const name of names) {
    const { title, settings, runtimes } = await import(`./peers/${name}.js`)
    for (const runtime of runtimes) {
      const peer = new PeerProcess({ name, title, settings, runtime, folder })
      peers.push(peer)
      console.error(`${peer.label}: loading, checking, warming up …`)
      peer.versions = await peer.ask("open")
      await peer.ask("load")
      await peer.ask("validate")
      for (const row of rows) await peer.ask("run", { row: row.name, seed: 0, budgetMs: budgetMs / 5 })
    }
  }
}

/** Microseconds an operation: `samples.get(peer)[row name]` has one figure a repetition. */
async function measure() {
  const samples = new Map(peers.map((peer) => [peer, Object.fromEntries(rows.map(({ name }) => [name, []]))]))
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    console.error(`Repetition ${repetition} of ${repetitions} …`)
    for (const [index, row] of rows.entries()) {
      const first = (repetition + index) % peers.length
      for (const peer of [...peers.slice(first), ...peers.slice(0, first)]) {
        flushDisk()
        const seed = repetition * rows.length + index
        const { operations, elapsedMs } = await peer.ask("run", { row: row.name, seed, budgetMs })
        samples.get(peer)[row.name].push((elapsedMs * 1000) / operations)
      }
    }
  }
  for (const peer of peers) await peer.ask("close")
  return samples
}

/** What one peer left in the page cache is not billed to the next one's fsync. */
function flushDisk() {
  if (process.platform !== "win32") spawnSync("sync")
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
