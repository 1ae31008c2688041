// Counts the instructions of the core's hot paths under callgrind and compares them with bench/instructions/instructions.json:
// `node scripts/instructions.mjs [--write]`. A noisy machine does not move them.
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fail, root } from "./support.mjs"

const BASELINE = join(root, "bench/instructions/instructions.json")
/** Seen between runs: under 0.5 %; between CPUs more, since libraries choose their loops by what the CPU has. */
const TOLERANCE = 0.05
const RECOUNTS = 3
const READS = "measured"
const WRITES = "keyval::store::local::writer::Writer::process"
const PATHS = {
  "key encode": READS,
  "key decode": READS,
  "get one": READS,
  "get 64": READS,
  "list entry": READS,
  "set in a group of 64": WRITES,
  "counter in a group of 64": WRITES,
  "enqueue in a group of 64": WRITES,
  "claim and settle, of 64": WRITES,
  "watched change, of 64": READS,
}
/** The same loops of the C library on every CPU. */
const TUNABLES = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,-MOVBE,-BMI2"

if (process.platform !== "linux" || process.arch !== "x64") skip("the baseline is of Linux on x64")
if (spawnSync("valgrind", ["--version"]).status !== 0) {
  const reason = "there is no valgrind: apt-get install valgrind"
  if ((process.env.KEYVAL_REQUIRE ?? "").split(",").includes("valgrind"))
    fail(`Instructions were not counted, and KEYVAL_REQUIRE names valgrind: ${reason}`)
  skip(reason)
}
const program = build()
const folder = mkdtempSync(join(tmpdir(), "keyval-instructions-"))
const isWriting = process.argv.includes("--write")
const baseline = isWriting ? {} : JSON.parse(readFileSync(BASELINE, "utf8"))
const counted = Object.fromEntries(Object.keys(PATHS).map((path) => [path, least(path)]))
rmSync(folder, { recursive: true, force: true })
if (isWriting) write()
else compare()

function skip(reason) {
  console.log(`Instructions are not counted here: ${reason}`)
  process.exit(0)
}

/** With symbols, which callgrind needs to know where to begin. */
function build() {
  const args = ["bench", "--locked", "--no-default-features", "--bench", "instructions", "--no-run"]
  const env = { ...process.env, CARGO_PROFILE_BENCH_STRIP: "none" }
  const { status, stdout } = spawnSync("cargo", [...args, "--message-format=json"], {
    cwd: root,
    env,
    maxBuffer: 2 ** 26,
    stdio: ["ignore", "pipe", "inherit"],
  })
  if (status !== 0) fail("the paths to count do not compile", status ?? 1)
  const messages = String(stdout).trim().split("\n").map(JSON.parse)
  const built = messages.findLast(({ executable, target }) => executable && target.name === "instructions")
  return built.executable
}

/** The least of several counts: where memory lies moves a get by 5 % between some runs (seen), and only upwards. */
function least(path) {
  let found = count(path)
  for (let again = 0; again < RECOUNTS && !(found <= baseline[path] * (1 + TOLERANCE)); again++)
    found = Math.min(found, count(path))
  return found
}

/** Instructions an operation. */
function count(path) {
  const out = join(folder, "out")
  const flags = ["--tool=callgrind", `--toggle-collect=${PATHS[path]}`, `--callgrind-out-file=${out}`]
  const env = { ...process.env, GLIBC_TUNABLES: TUNABLES }
  const { status, stdout, stderr } = spawnSync("valgrind", [...flags, program, path], { env })
  if (status !== 0) fail(`${path}: ${stderr}`)
  const total = Number(/^(?:summary|totals): (\d+)/m.exec(readFileSync(out, "utf8"))?.[1])
  const instructions = Math.round(total / Number(stdout))
  if (!(instructions > 0)) fail(`${path}: nothing was counted`)
  return instructions
}

function write() {
  writeFileSync(BASELINE, `${JSON.stringify(counted, null, 2)}\n`)
  console.table(counted)
  console.log("Written to bench/instructions/instructions.json.")
}

function compare() {
  const rows = Object.entries(counted).map(([path, now]) => {
    const change = now / baseline[path] - 1
    const verdict =
      change > TOLERANCE ? "MORE" : change < -TOLERANCE ? "less: renew the baseline" : "as before"
    return { path, baseline: baseline[path], now, change: `${(100 * change).toFixed(1)} %`, verdict }
  })
  console.table(rows)
  const worse = rows.filter(({ verdict }) => verdict === "MORE").map(({ path }) => path)
  if (worse.length === 0) return
  fail(
    `Instructions an operation grew by more than ${100 * TOLERANCE} %: ${worse.join(", ")}.
If that is right, renew the baseline: npm run instructions -- --write`,
  )
}
