import { spawn, spawnSync } from "node:child_process"
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"

const here = import.meta.dirname
/**
 * Loading 100,000 entries takes the slowest peer a minute on a busy machine; a peer that is silent for longer
 * hangs.
 */
const DEADLINE_MS = 5 * 60_000

/** One peer in a process of its own, kept alive between runs and driven by lines of JSON. */
export class PeerProcess {
  #child
  #answers
  #deadlineMs
  #ended
  /** Why it answers no more; `undefined` while it does. */
  lost
  path

  /**
   * `module` is the file of `peers/` that its program opens, `root` the checkout that KeyVal is taken from;
   * `program` and `deadlineMs` are others in tests.
   */
  constructor(peer) {
    const { name, label, settings, only, runtime, folder, module, root = join(here, "..") } = peer
    const { program = join(here, "children/peer.js"), deadlineMs = DEADLINE_MS } = peer
    const { command, args } = runtimeCommand(runtime)
    this.name = name
    this.runtime = runtime
    this.label = label
    this.settings = settings
    this.only = only
    this.path = join(folder, `${name}-${runtime}.db`)
    this.#deadlineMs = deadlineMs
    this.#child = spawn(command, [...args, program, module, this.path, root], {
      stdio: ["pipe", "pipe", "inherit"],
    })
    this.#child.stdin.on("error", () => {}) // a child that died is reported by `ask`
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#ended = new Promise((resolve) => {
      this.#child.on("error", (error) => resolve(error.message))
      this.#child.on("close", (code, signal) => resolve(signal ?? code))
    })
  }

  /**
   * Sends a command and waits for its answer. A child that answers with an error stays alive; one that ends,
   * answers something else or does not answer in time is killed and lost.
   */
  async ask(command, options = {}) {
    if (this.lost) throw this.lost
    this.#child.stdin.write(`${JSON.stringify({ command, ...options })}\n`)
    const { answer, error } = await this.#answer(command)
    if (error !== undefined) throw new Error(error)
    return answer
  }

  async #answer(command) {
    const seconds = this.#deadlineMs / 1000
    let timer
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, this.#deadlineMs, { late: true })
    })
    const { late: isLate, done, value: line } = await Promise.race([this.#answers.next(), late])
    clearTimeout(timer)
    if (isLate) return this.#lose(`did not answer "${command}" within ${seconds} s and was killed`)
    if (done) return this.#lose(`ended with ${await this.#ended} during "${command}"`)
    const answer = parsed(line)
    if (answer === undefined) return this.#lose(`answered "${command}" with what is no answer: ${line}`)
    return answer
  }

  #lose(reason) {
    this.kill()
    this.lost = new Error(reason)
    throw this.lost
  }

  /** Whether a row is measured on it. */
  has({ name, needs }) {
    return !this.lost && this.versions.calls.includes(needs) && (this.only?.includes(name) ?? true)
  }

  /** Even where it is stopped or does not listen. */
  kill() {
    this.#child.kill("SIGKILL")
  }

  /** Kills it; resolves when it is gone and writes to no file any more. */
  async end() {
    this.kill()
    await this.#ended
  }

  /**
   * The SQLite that wrote the file last, from the file's header (bytes 96 to 99, big-endian); `null` for
   * another format.
   */
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

/** An answer is an object with `answer` or `error`; `undefined` for anything else. */
function parsed(line) {
  try {
    const { answer, error } = JSON.parse(line)
    return answer === undefined && typeof error !== "string" ? undefined : { answer, error }
  } catch {
    return undefined
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
 * The executable of the `bun` devDependency. Its launcher in `.bin` works only after a postinstall script,
 * which the root `.npmrc` turns off, so the platform's package is used directly.
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
