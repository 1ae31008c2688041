// Several processes on one file, killed at random and restarted, for a number of seconds:
// `node scripts/soak.mjs [seconds]`. KEYVAL_SEED repeats the choices, though not the timing of the machine.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Kv } from "@buntime/keyval"
import { ACCOUNTS, accountKeys, MONEY } from "../__test__/process/children/soak/workload.js"
import { Random } from "../__test__/support/random.js"
import { runOk, sql, start } from "../__test__/support/runtimes.js"
import { tempFolder } from "../__test__/support/targets.js"

const SECONDS = Number(process.argv[2] ?? 60)
const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** After this time all writers are killed, and everything is verified. */
const ROUND_MS = Math.min(15_000, (SECONDS * 1000) / 3)
const WRITERS = ["node", "bun", "node", "bun"]
const WATCHERS = ["node", "bun"]
/**
 * Between two kills; a process needs about 100 ms before its first write, and more on a slow machine, so a
 * kill may wait for that write.
 */
const LEAST_MS = 50
const TIMEOUT_MS = 60_000
/**
 * The share of kills that wait for the process's first write; the others may hit a process that still opens
 * the file.
 */
const BEGUN = 0.8
const MOST_MS = 1500
const SHOWN = 20

const random = new Random(SEED)
const folder = tempFolder()
const [file, notes] = ["soak.db", "notes.json"].map((name) => join(folder.path, name))
const running = new Set()
const wrong = []
const totals = { kills: 0, acknowledged: 0, rounds: 0, lives: 0, newest: "" }
const memory = new Map()

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

function report(what) {
  wrong.push(what)
  if (wrong.length <= SHOWN) console.error(`  WRONG ${what}`)
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`

/**
 * Starts a program and calls `hear` with each whole line that it prints; a line cut off by a kill is dropped.
 */
function launch(runtime, program, args, hear) {
  const { child, ended, said } = start(runtime, program, args)
  running.add(child)
  let rest = ""
  child.stdout.on("data", (text) => {
    said.stdout = ""
    const lines = (rest + text).split("\n")
    rest = lines.pop()
    lines.forEach(hear)
  })
  return { child, ended: ended.finally(() => running.delete(child)) }
}

/**
 * One process of a writer: its acknowledgements are checked as they arrive, and the last of each chain is
 * kept.
 */
function live(runtime) {
  const [life, chains, before] = [`life${totals.lives++}`, {}, totals.newest]
  let begin
  const begun = new Promise((resolve) => {
    begin = resolve
  })
  const hear = (line) => {
    begin()
    const [chain, number, versionstamp] = line.split(" ")
    const [n, last] = [Number(number), chains[chain]]
    if (n !== (last?.n ?? -1) + 1) report(`lost: ${life} acknowledged ${chain} ${n} after ${last?.n}`)
    if (!(versionstamp > (last?.versionstamp ?? before)))
      report(`stamps: ${life} ${chain} has ${versionstamp} after ${last?.versionstamp ?? before}`)
    chains[chain] = { n, versionstamp }
    if (versionstamp > totals.newest) totals.newest = versionstamp
    totals.acknowledged++
  }
  return { life, runtime, chains, begun, ...launch(runtime, "soak/writer.js", [file, life], hear) }
}

async function kill({ child, ended, life, runtime }) {
  child.kill("SIGKILL")
  totals.kills++
  const { signal, code, stderr } = await ended
  if (signal !== "SIGKILL")
    report(`ended: ${life} in ${runtime}, ${signal ?? code}: ${stderr.slice(0, 1000)}`)
}

/** Waits for a writer's first write, or for its end, which `kill` reports. */
function begun({ begun, ended }) {
  return Promise.race([begun, ended, sleep(TIMEOUT_MS)])
}

async function round(until) {
  const lives = {}
  const begin = (runtime) => {
    const writer = live(runtime)
    lives[writer.life] = writer.chains
    return writer
  }
  const writers = WRITERS.map(begin)
  const end = Math.min(Date.now() + ROUND_MS, until)
  while (Date.now() < end) {
    await sleep(LEAST_MS + random.int(MOST_MS - LEAST_MS))
    const at = random.int(writers.length)
    if (random.chance(BEGUN)) await begun(writers[at])
    await kill(writers[at])
    writers[at] = begin(WRITERS[at])
  }
  await begun(writers[0])
  await sleep(random.int(300))
  await Promise.all(writers.map(kill))
  return lives
}

/**
 * Verifies every write that the killed processes had acknowledged, and the file itself, in separate
 * processes.
 */
async function verify(lives) {
  writeFileSync(notes, JSON.stringify({ lives, watchers: WATCHERS, newest: totals.newest }))
  const reader = WRITERS[totals.rounds++ % 2]
  const options = { timeoutMs: 300_000 }
  const found = await runOk(reader, "soak/check.js", [file, notes], options)
  found.wrong.forEach(report)
  if (found.versionstamp > totals.newest) totals.newest = found.versionstamp
  const back = "SELECT versionstamp < lag(versionstamp) OVER (ORDER BY seq) AS back FROM kv_changes"
  const [integrity, [{ backs }]] = await sql(
    file,
    "PRAGMA integrity_check",
    `SELECT count(*) AS backs FROM (${back}) WHERE back`,
  )
  if (integrity[0]?.integrity_check !== "ok") report(`integrity: ${JSON.stringify(integrity)}`)
  if (backs > 0) report(`stamps: ${backs} rows of the log are older than the row before`)
}

/** Starts a watcher, a process that lives as long as the soak. */
function watch(runtime, until) {
  const series = []
  memory.set(runtime, series)
  let counted
  const hear = (line) => {
    const [kind, ...rest] = line.split(" ")
    if (kind === "rss") series.push(Number(rest[0]))
    else if (kind === "counted") counted = rest[0]
    else report(rest.join(" "))
  }
  const { ended } = launch(runtime, "soak/watch.js", [file, runtime, until], hear)
  return ended.then(({ code, signal, stderr }) => {
    if (code !== 0 || counted === undefined)
      report(`ended: the watcher in ${runtime}, ${signal ?? code}: ${stderr.slice(0, 1000)}`)
  })
}

async function prepare() {
  const kv = new Kv(file, { retention: "30s" })
  await kv.setMany(accountKeys.map((key) => ({ key, value: MONEY })))
  await kv.set(["base"], new Array(ACCOUNTS).fill(MONEY))
  await kv.close()
}

function count(kind) {
  return wrong.filter((what) => what.startsWith(`${kind}:`)).length
}

/** Memory of the watchers: first, largest, last. */
function grown() {
  const one = ([runtime, series]) =>
    `${runtime} ${mib(series[0])} → ${mib(series.at(-1))} (most ${mib(Math.max(...series))})`
  return [...memory].map(one).join(", ")
}

console.log(`soak: ${SECONDS} s, ${WRITERS.length} writers, KEYVAL_SEED=${SEED}, ${file}`)
await prepare()
const began = Date.now()
const until = began + SECONDS * 1000
const watchers = WATCHERS.map((runtime) => watch(runtime, until))
while (Date.now() < until) {
  await verify(await round(until))
  const rss = [...memory].map(([runtime, series]) => `${runtime} ${mib(series.at(-1) ?? 0)}`).join(", ")
  const s = Math.round((Date.now() - began) / 1000)
  console.log(
    `  ${s} s: ${totals.kills} kills, ${totals.acknowledged} acknowledged, ${wrong.length} wrong; rss ${rss}`,
  )
}
await Promise.all(watchers)
const kinds = ["lost", "torn", "sums", "stamps", "expired", "integrity", "ended"]
console.log(
  `soak: KEYVAL_SEED=${SEED}, ${SECONDS} s, ${totals.rounds} rounds, ${totals.lives} lives, ${totals.kills} kills, ` +
    `${totals.acknowledged} acknowledged, ${kinds.map((kind) => `${kind} ${count(kind)}`).join(", ")}; rss ${grown()}`,
)
if (wrong.length > 0) console.error(`Kept to look at: ${folder.path}`)
else folder.dispose()
process.exit(wrong.length > 0 ? 1 : 0)
