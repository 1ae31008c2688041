// Coverage-guided fuzzing: `npm run fuzz -- 60 [target…]`, in seconds for all targets together. A failing
// input is written to fuzz/artifacts/; repeat it with `npm run fuzz -- 0 <target> <file>`.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { bun, fail, root } from "./support.mjs"

const RUST = ["keys", "values", "pages", "cursors", "words", "filters", "model"]
const FUZZ = join(root, "fuzz")
/** The flags with which stable rustc adds the instrumentation that libFuzzer reads. */
const INSTRUMENTED = [
  "-Cpasses=sancov-module",
  "-Cllvm-args=-sanitizer-coverage-level=4",
  "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
  "-Cllvm-args=-sanitizer-coverage-pc-table",
  "-Cllvm-args=-sanitizer-coverage-trace-compares",
  "-Cdebuginfo=line-tables-only",
  "--cfg=fuzzing",
].join(" ")

const [seconds = "60", ...named] = process.argv.slice(2)
if (!(Number(seconds) >= 0)) fail("usage: npm run fuzz -- <seconds> [target…]")
const known = [...RUST, "javascript"]
const chosen = named.filter((name) => known.includes(name))
const files = named.filter((name) => !known.includes(name))
const missing = files.find((path) => !existsSync(path))
if (missing !== undefined) fail(`${missing} is neither a file nor one of ${known.join(", ")}`)
const targets = chosen.length > 0 ? chosen : known
const share = Math.max(1, Math.floor(Number(seconds) / targets.length))

const folder = targets.some((name) => RUST.includes(name)) ? build() : undefined
const executions = {}
for (const target of targets) executions[target] = target === "javascript" ? javascript() : libFuzzer(target)
console.log("\nExecutions without a finding:")
console.table(executions)

/**
 * Builds with instrumentation, for an explicit target so that build scripts have none. Gives the folder of
 * the programs.
 */
function build() {
  const triple = /^host: (.+)$/m.exec(String(spawnSync("rustc", ["-vV"]).stdout))?.[1]
  if (triple === undefined) fail("rustc is not installed. KeyVal builds with Rust (rustup.rs) and Node.")
  const env = { ...process.env, RUSTFLAGS: INSTRUMENTED }
  const args = ["build", "--release", "--locked", "--target", triple]
  const { status } = spawnSync("cargo", args, { cwd: FUZZ, env, stdio: "inherit" })
  if (status !== 0) fail("the targets do not compile", status ?? 1)
  return join(FUZZ, "target", triple, "release")
}

function libFuzzer(target) {
  console.log(`\n== ${target}, ${share} s`)
  const [seeds, found, artifacts] = ["corpus", "found", "artifacts"].map((name) => join(FUZZ, name, target))
  for (const path of [found, artifacts]) mkdirSync(path, { recursive: true })
  const limits = [`-max_total_time=${share}`, "-timeout=60", "-rss_limit_mb=4096", "-max_len=4096"]
  const report = ["-print_final_stats=1", "-verbosity=1", `-artifact_prefix=${artifacts}/`]
  const inputs = files.length > 0 ? files : [found, seeds]
  const { status, stderr } = spawnSync(join(folder, target), [...limits, ...report, ...inputs], {
    cwd: FUZZ,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  })
  const done = /stat::number_of_executed_units: (\d+)/.exec(stderr)?.[1]
  if (status !== 0) {
    console.error(stderr.slice(-6000))
    fail(`${target}: a finding, in fuzz/artifacts/${target}. Repeat it: npm run fuzz -- 0 ${target} <file>`)
  }
  return Number(done ?? files.length)
}

/** The value codec of JavaScript, in both runtimes, half of the time each. */
function javascript() {
  let sum = 0
  for (const command of [process.execPath, bun()]) {
    const args = [join(FUZZ, "values.mjs"), String(Math.max(1, Math.floor(share / 2)))]
    const { status, stdout } = spawnSync(command, args, {
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
    })
    process.stdout.write(stdout)
    if (status !== 0) fail("javascript: a finding; the seed is printed above")
    sum += Number(/(\d+) executions/.exec(stdout)?.[1])
  }
  return sum
}
