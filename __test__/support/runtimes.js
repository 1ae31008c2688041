import { spawn, spawnSync } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const children = join(root, "__test__", "process", "children")

/** Tests of processes start both runtimes themselves, so they run once: under Node. */
export const nodeOnly = process.versions.bun ? { skip: "runs under Node, which starts both" } : {}

export const runtimes = ["node", "bun"]

function bunCandidates() {
  const scope = join(root, "node_modules", "@oven")
  const packed = existsSync(scope) ? readdirSync(scope).map((name) => join(scope, name, "bin", "bun")) : []
  return [join(root, "node_modules", ".bin", "bun"), ...packed, "bun"]
}

let bunPath
/** The package's own binary: npm's link fails where install scripts are off. */
function findBun() {
  bunPath ??= bunCandidates().find((path) => spawnSync(path, ["--version"]).status === 0)
  if (!bunPath) throw new Error("no bun: run npm install")
  return bunPath
}

export function commandOf(runtime) {
  return runtime === "bun" ? findBun() : process.versions.bun ? "node" : process.execPath
}

/**
 * Starts a program of `children/` (or an absolute path) in a runtime.
 * `flags` stand before the program; `args` after it.
 */
export function start(runtime, program, args = [], { flags = [], ...options } = {}) {
  const path = program.startsWith("/") ? program : join(children, program)
  const child = spawn(commandOf(runtime), [...flags, path, ...args.map(String)], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    ...options,
  })
  const said = { stdout: "", stderr: "" }
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (text) => {
      said[name] += text
    })
  }
  const began = performance.now()
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code, signal) => resolve({ code, signal, ms: performance.now() - began, ...said }))
  })
  return { child, ended, said }
}

/** Runs a program to its end; one that hangs is killed, which shows as a signal. */
export async function run(runtime, program, args, { timeoutMs = 120_000, ...options } = {}) {
  const { child, ended } = start(runtime, program, args, options)
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs)
  const result = await ended
  clearTimeout(timer)
  return result
}

/** Runs a program that must end well, and gives the JSON that it printed last. */
export async function runOk(runtime, program, args, options) {
  const { code, signal, stdout, stderr } = await run(runtime, program, args, options)
  if (code !== 0) throw new Error(`${runtime} ${program} ended with ${signal ?? code}:\n${stdout}${stderr}`)
  const last = stdout.trim().split("\n").at(-1)
  return last ? JSON.parse(last) : undefined
}

/** Rows of SQL on a file, read in a process of its own: see `children/sql.js`. */
export function sql(file, ...statements) {
  return runOk("bun", "sql.js", [file, JSON.stringify(statements)])
}

const CHANCES = 4

/**
 * Does something that gives the milliseconds it took, again if they are too many: a machine holds up a
 * process now and then, but one that waits for something waits each time.
 */
export async function soon(mostMs, work) {
  const took = []
  do took.push(await work())
  while (took.at(-1) >= mostMs && took.length < CHANCES)
  if (took.at(-1) >= mostMs) throw new Error(`it took ${took} ms, at most ${mostMs} are right`)
}
