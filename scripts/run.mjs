// The commands of package.json. Each installs and builds what it needs: `node scripts/run.mjs test`.
import { readdirSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join, relative } from "node:path"
import { bun, fail, install, root, run, runTogether } from "./support.mjs"

const node = process.execPath
const script = (path) => join(root, path)
const tool = (path) => join(root, "node_modules", path)

/** Suites that both runtimes run; the others start both runtimes themselves, or read the source tree. */
const IN_BOTH = [
  "__test__/memory.test.js",
  "__test__/text.test.js",
  "__test__/file.test.js",
  "__test__/format.test.js",
  "__test__/planted.test.js",
  "__test__/process/queues/damaged-",
  "__test__/process/store/damaged-indexes",
  "__test__/process/store/damaged-texts",
  "__test__/unit",
]

/**
 * The tests that Node runs, in steps, so that the minutes of each kind show. A step skips files that an
 * earlier step has run.
 */
const IN_NODE = {
  "JavaScript in Node": IN_BOTH,
  "Processes, files that fail, power cuts": ["__test__/process", "__test__/faults", "__test__/powercut"],
  "Documents, types, the package and the rest": ["__test__"],
}

/**
 * Test files that run at a time: they wait most of the time. Node's default on two CPUs would be one.
 */
const TEST_FILES_AT_ONCE = Math.max(2, availableParallelism() - 1)

const TASKS = {
  build: () => build(["--release", ...rest]),

  check() {
    step("Format, lint and types")
    run("cargo", ["fmt", "--check"])
    run("cargo", ["clippy", "--locked", "--all-targets", "--", "-D", "warnings"])
    // The fuzz targets have a lock file of their own, which nothing else here reads.
    run("cargo", ["update", "--quiet", "--workspace", "--locked", "--manifest-path", "fuzz/Cargo.toml"])
    run(node, [tool("@biomejs/biome/bin/biome"), "ci", "--error-on-warnings", "."])
    run(node, [tool("typescript/bin/tsc"), "--noEmit"])
    run(node, [tool("typescript/bin/tsc"), "--noEmit", "-p", "__test__/types"])
    run(node, [script("scripts/words.mjs")])
  },

  async test() {
    TASKS.check()
    step("Rust: unit, property, model, fault and documentation tests")
    run("cargo", ["test", "--locked"])
    TASKS.instructions()
    build([])
    step("JavaScript in Bun")
    await testInBun()
    const done = new Set()
    for (const [title, places] of Object.entries(IN_NODE)) {
      const files = testFiles(places).filter((file) => !done.has(file))
      for (const file of files) done.add(file)
      step(title)
      run(node, ["--test", `--test-concurrency=${TEST_FILES_AT_ONCE}`, ...files])
    }
  },

  instructions() {
    step("Instructions of the hot paths")
    run(node, [script("scripts/instructions.mjs"), ...(name === "instructions" ? rest : [])])
  },

  fuzz() {
    build([])
    run(node, [script("scripts/fuzz.mjs"), ...rest])
  },

  demo() {
    build(["--release"])
    run(node, [script("examples/cities.js"), ...rest])
  },

  bench() {
    build(["--release"])
    run(node, [script("bench/run.js"), ...rest])
  },

  soak() {
    build(["--release"])
    run(node, [script("scripts/soak.mjs"), ...rest])
  },

  powercut() {
    build([])
    run(node, [script("scripts/powercut.mjs"), ...rest])
  },
}

/** In two processes, because one runs file after file: the suites on a file are half of the work. */
async function testInBun() {
  const [onFile, rest] = [
    ["__test__/file.test.js"],
    IN_BOTH.filter((place) => place !== "__test__/file.test.js"),
  ]
  const command = (places) => [bun(), ["test", "--timeout", "600000", ...testFiles(places)]]
  await runTogether([command(onFile), command(rest)])
}

/** The steps so far, `{ title, began }`. */
const steps = []

function step(title) {
  steps.push({ title, began: performance.now() })
  console.log(`\n== ${title}`)
}

/** Prints the minutes of each step, including one that failed. */
function printMinutes() {
  const ends = [...steps.slice(1).map(({ began }) => began), performance.now()]
  console.log("\n== Minutes")
  steps.forEach(({ title, began }, at) => {
    console.log(`${((ends[at] - began) / 60_000).toFixed(1).padStart(5)}  ${title}`)
  })
}

function build(options) {
  step("The addon and the TypeScript")
  run(node, [script("scripts/build.mjs"), ...options])
}

/** Test files as paths from the root: Node 20 takes no patterns. */
function testFiles(places) {
  const all = readdirSync(script("__test__"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.endsWith(".test.js"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
  return all.filter((file) => places.some((place) => file.startsWith(place))).map((file) => `./${file}`)
}

const [name, ...rest] = process.argv.slice(2)
if (!Object.hasOwn(TASKS, name)) fail(`usage: node scripts/run.mjs ${Object.keys(TASKS).join(" | ")}`)
install()
if (name === "test") process.on("exit", printMinutes)
await TASKS[name]()
