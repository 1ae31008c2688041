// Helpers of the scripts: paths, and running commands.
import { spawn, spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Runs a command in the repository, or ends this process with its exit code. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options })
  if (error?.code === "ENOENT")
    fail(`${command} is not installed. KeyVal builds with Rust (rustup.rs) and Node.`)
  if (status !== 0) fail(`${command} ${args.join(" ")} failed`, status ?? 1)
}

/**
 * Runs commands concurrently, each `[command, args]`. The first one prints as it runs, the others when they
 * end; a failure is reported once all have ended.
 */
export async function runTogether(commands) {
  const failures = await Promise.all(commands.map((command, at) => runOneOf(command, at === 0)))
  for (const failure of failures.filter(Boolean)) fail(failure)
}

function runOneOf([command, args], isFirst) {
  const child = spawn(command, args, {
    cwd: root,
    stdio: ["ignore", ...Array(2).fill(isFirst ? "inherit" : "pipe")],
  })
  const printed = []
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => printed.push(data))
  return new Promise((resolve) => {
    child.on("error", ({ message }) => resolve(`${command}: ${message}`))
    child.on("close", (code) => {
      process.stdout.write(Buffer.concat(printed))
      resolve(code === 0 ? undefined : `${command} ${args.join(" ")} failed`)
    })
  })
}

export function fail(message, code = 1) {
  console.error(`\n${message}`)
  process.exit(code)
}

/** The file name of this platform's addon, as `native.cjs` asks for it. */
export function binary() {
  const { platform, arch, report } = process
  const gnu = report.getReport().header.glibcVersionRuntime !== undefined
  const libc = platform === "linux" ? (gnu ? "-gnu" : "-musl") : ""
  return `keyval.${platform}-${arch}${libc}.node`
}

/** Bun from its npm package: without its install script the launcher in `.bin` only prints a notice. */
export function bun() {
  const scope = join(root, "node_modules/@oven")
  const packages = existsSync(scope) ? readdirSync(scope) : []
  const name = process.platform === "win32" ? "bun.exe" : "bun"
  const nested = packages.map((one) => join(scope, one, "bin", name))
  const found = [...nested, join(root, "node_modules/bun/bin/bun.exe")].find((path) => {
    return existsSync(path) && spawnSync(path, ["--version"]).status === 0
  })
  return found ?? fail("bun is missing from node_modules; run npm ci")
}

/**
 * Installs the devDependencies of the lock file if it has changed since the last installation. Not with
 * `npm ci`, which refuses a lock file without the optional packages of other platforms, as some registries
 * produce it.
 */
export function install() {
  const lock = readFileSync(join(root, "package-lock.json"), "utf8")
  const mark = join(root, "node_modules/.keyval-installed")
  if (existsSync(mark) && readFileSync(mark, "utf8") === lock) return
  run("npm", ["install", "--no-save"], { shell: process.platform === "win32" })
  writeFileSync(mark, lock)
}
