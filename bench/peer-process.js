import { spawn, spawnSync } from "node:child_process"
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"

const here = import.meta.dirname

/** One peer in a process of its own, kept alive between runs and driven by lines of JSON. */
export class PeerProcess {
  #child
  #answers
  path

  constructor({ name, label, settings, only, runtime, folder }) {
    const { command, args } = runtimeCommand(runtime)
    this.name = name
    this.runtime = runtime
    this.label = label
    this.settings = settings
    this.only = only
    this.path = join(folder, `${name}-${runtime}.db`)
    this.#child = spawn(command, [...args, join(here, "child.js"), name, this.path], {
      stdio: ["pipe", "pipe", "inherit"],
    })
    this.#child.stdin.on("error", () => {}) // a child that died is told by `ask`
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** Sends a command and waits for its answer. */
  async ask(command, options = {}) {
    this.#child.stdin.write(`${JSON.stringify({ command, ...options })}\n`)
    const { done, value: line } = await this.#answers.next()
    if (done) throw new Error(`${this.label} ended during "${command}"`)
    const { answer, error } = JSON.parse(line)
    if (error !== undefined) throw new Error(`${this.label}, ${command}: ${error}`)
    return answer
  }

  /** Whether a row is measured on it. */
  has({ name, needs }) {
    return this.versions.calls.includes(needs) && (this.only?.includes(name) ?? true)
  }

  kill() {
    this.#child.kill()
  }

  /** The SQLite that wrote the file last, from the file's header (bytes 96 to 99, big-endian); `null` for another format. */
  sqliteVersion() {
    if (!statSync(this.path).isFile()) return null
    const header = Buffer.alloc(100)
    const file = openSync(this.path)
    readSync(file, header, 0, header.length, 0)
    closeSync(file)
    if (!header.toString("latin1").startsWith("SQLite format 3\0")) return null
    const number = header.readUInt32BE(96)
    return `${Math.floor(number / 1e6)}.${Math.floor(number / 1e3) % 1000}.${number % 1000}`
  }
}

/** How a program is started in a runtime. */
export function runtimeCommand(runtime) {
  if (runtime === "bun") return { command: findBun(), args: [] }
  if (runtime === "deno") return { command: findDeno(), args: ["run", "-A", "--unstable-kv", "--no-config"] }
  return { command: process.execPath, args: ["--expose-gc"] }
}

/** The executable of the `deno` package, which its platform's package holds. */
function findDeno() {
  return find(join(here, "node_modules/@deno"), "deno", process.platform === "win32" ? "deno.exe" : "deno")
}

/**
 * The executable of the `bun` devDependency. Its launcher in `.bin` works only after a postinstall script, which the
 * root `.npmrc` turns off, so the platform's package is used directly.
 */
export function findBun() {
  const name = process.platform === "win32" ? "bun.exe" : "bun"
  return find(join(here, "../node_modules/@oven"), "bun", join("bin", name))
}

/** An executable in a package of a scope that may hold packages of several platforms. */
function find(scope, title, path) {
  const names = existsSync(scope) ? readdirSync(scope) : []
  const found = names.map((name) => join(scope, name, path)).find((one) => existsSync(one) && runs(one))
  if (found === undefined) throw new Error(`There is no ${title} in ${scope}: run npm install.`)
  return found
}

const runs = (command) => spawnSync(command, ["--version"]).status === 0
