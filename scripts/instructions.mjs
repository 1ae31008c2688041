// Counts the instructions of the core's hot paths under callgrind and compares them with
// bench/instructions/instructions.json: `node scripts/instructions.mjs [--write]`. A noisy machine does not
// change the counts.
import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { fail, root } from "./support.mjs"

const BASELINE = join(root, "bench/instructions/instructions.json")
/**
 * Measured between runs: under 0.5 %; more between CPUs, since libraries choose their loops by the CPU's
 * features.
 */
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
/**
 * The tests' profile with the release's optimisation, but without LTO. So SQLite, which `Cargo.toml` compiles
 * the same way in both, and build-time programs are not compiled again.
 */
const PROFILE = [
  "profile.dev.opt-level=3",
  "profile.dev.codegen-units=1",
  "profile.dev.debug=false",
  "profile.dev.debug-assertions=false",
  "profile.dev.overflow-checks=false",
  "profile.dev.incremental=false",
]
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
const counted = await countAll()
rmSync(folder, { recursive: true, force: true })
if (isWriting) write()
else compare()

function skip(reason) {
  console.log(`Instructions are not counted here: ${reason}`)
  process.exit(0)
}

/** The program whose paths are counted. */
function build() {
  const settings = PROFILE.flatMap((setting) => ["--config", setting])
  const args = ["build", "--locked", "--no-default-features", "--bench", "instructions", ...settings]
  const { status, stdout } = spawnSync("cargo", [...args, "--message-format=json"], {
    cwd: root,
    maxBuffer: 2 ** 26,
    stdio: ["ignore", "pipe", "inherit"],
  })
  if (status !== 0) fail("the paths to count do not compile", status ?? 1)
  const messages = String(stdout).trim().split("\n").map(JSON.parse)
  const built = messages.findLast(({ executable, target }) => executable && target.name === "instructions")
  return built.executable
}

/** Counts all paths, as many at a time as there are CPUs: the counts of one do not depend on the others. */
async function countAll() {
  const waiting = Object.keys(PATHS)
  const found = {}
  const countNext = async () => {
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift())
      found[path] = await least(path)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, countNext))
  return Object.fromEntries(Object.keys(PATHS).map((path) => [path, found[path]]))
}

/**
 * The least of several counts: the placement of memory adds up to 5 % to a get in some runs (measured), and
 * never lowers it.
 */
async function least(path) {
  let found = await count(path)
  for (let again = 0; again < RECOUNTS && !(found <= baseline[path] * (1 + TOLERANCE)); again++)
    found = Math.min(found, await count(path))
  return found
}

/** Instructions per operation. */
async function count(path) {
  const out = join(folder, path)
  const flags = ["--tool=callgrind", `--toggle-collect=${PATHS[path]}`, `--callgrind-out-file=${out}`]
  const env = { ...process.env, GLIBC_TUNABLES: TUNABLES }
  const ran = await promisify(execFile)("valgrind", [...flags, program, path], { env }).catch((error) =>
    fail(`${path}: ${error.stderr ?? error.message}`),
  )
  const total = Number(/^(?:summary|totals): (\d+)/m.exec(readFileSync(out, "utf8"))?.[1])
  const instructions = Math.round(total / Number(ran.stdout))
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
