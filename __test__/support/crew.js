import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Kv } from "@buntime/keyval"
import { start } from "./runtimes.js"
import { tempFolder } from "./targets.js"

const TIMEOUT_MS = 120_000

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks repeatedly until the answer is not false; `what` names the condition in the error. */
export async function until(ask, what, timeoutMs = TIMEOUT_MS) {
  const began = performance.now()
  for (;;) {
    const answer = await ask()
    if (answer) return answer
    if (performance.now() - began > timeoutMs)
      throw new Error(`waited in vain: ${typeof what === "function" ? what() : what}`)
    await sleep(25)
  }
}

/**
 * One child process, heard line by line. Its stdin stays open: a program that listens to it ends when it is
 * closed.
 */
class Member {
  #waiting = new Set()
  #rest = ""
  lines = []

  constructor(runtime, program, args, hear) {
    this.what = `${runtime} ${program} ${args.join(" ")}`
    this.runtime = runtime
    const { child, ended, said } = start(runtime, program, args, { stdio: ["pipe", "pipe", "pipe"] })
    // It may be gone when something is said to it.
    child.stdin.on("error", () => {})
    child.stdout.on("data", (text) => {
      const lines = (this.#rest + text).split("\n")
      this.#rest = lines.pop()
      for (const line of lines) {
        this.lines.push(line)
        hear?.(line)
        for (const check of this.#waiting) check(line)
      }
    })
    this.child = child
    this.said = said
    this.ended = ended
  }

  /** The first line that matches, of those that were said or will be. */
  async says(pattern, timeoutMs = TIMEOUT_MS) {
    const found = this.lines.find((line) => line.match(pattern))
    if (found !== undefined) return found
    let check
    let timer
    const said = new Promise((resolve) => {
      check = (line) => line.match(pattern) && resolve(line)
      this.#waiting.add(check)
    })
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, timeoutMs, "was silent")
    })
    const early = this.ended.then(({ code, signal }) => `ended with ${signal ?? code}`)
    const failed = Promise.race([late, early]).then((why) => {
      throw new Error(`${this.what} ${why} before ${pattern}:\n${this.said.stdout}${this.said.stderr}`)
    })
    try {
      return await Promise.race([said, failed])
    } finally {
      this.#waiting.delete(check)
      clearTimeout(timer)
      failed.catch(() => {})
    }
  }

  /** Says a line, and gives the first new one that matches. */
  async ask(line, pattern) {
    this.lines = this.lines.filter((old) => !old.match(pattern))
    this.child.stdin.write(`${line}\n`)
    return this.says(pattern)
  }

  async kill() {
    this.child.kill("SIGKILL")
    const { signal, code, stderr } = await this.ended
    assert.equal(signal, "SIGKILL", `${this.what} ended by itself with ${code}: ${stderr}`)
  }

  /** Closes its stdin and waits for its good end; one that hangs is killed, and reported. */
  async end(timeoutMs = TIMEOUT_MS) {
    this.child.stdin.end()
    const timer = setTimeout(() => this.child.kill("SIGKILL"), timeoutMs)
    const { signal, code, stdout, stderr } = await this.ended
    clearTimeout(timer)
    assert.equal(signal ?? code, 0, `${this.what} ended with ${signal ?? code}:\n${stdout}${stderr}`)
    assert.equal(stderr, "", this.what)
    return stdout
  }
}

/** A write that waits this long shows that the stopped process holds the lock. */
const PROBE_MS = 2000

/** Stops a process at a moment when it does not hold the file's lock, so that others can write. */
export async function standStill({ child }, kv) {
  for (;;) {
    child.kill("SIGSTOP")
    const write = kv.set(["is anybody writing"], null).then(() => true)
    if (await Promise.race([write, sleep(PROBE_MS)])) return
    child.kill("SIGCONT")
    await write
  }
}

/** The child processes of a test. None outlives it. */
export class Crew {
  #members = new Set()

  launch(runtime, program, args = [], hear = undefined) {
    const member = new Member(runtime, program, args, hear)
    this.#members.add(member)
    member.ended.finally(() => this.#members.delete(member)).catch(() => {})
    return member
  }

  async dismiss() {
    for (const { child } of this.#members) child.kill("SIGKILL")
    await Promise.all([...this.#members].map(({ ended }) => ended))
  }
}

/**
 * The lines of a journal (`children/lines.js`), in the order in which they were written, as lists of words.
 */
export function readJournal(path) {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" "))
}

/** A value that this share of a list does not exceed. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/**
 * A file, a `Kv` on it that waits for locks and sweeps nothing, processes to come, and a place for their
 * journal. All of it ends with `work`.
 */
export async function withCrew(work, options = {}) {
  const folder = tempFolder()
  const crew = new Crew()
  const file = join(folder.path, "store.db")
  const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0, ...options })
  try {
    await work({ crew, kv, file, folder: folder.path, path: join(folder.path, "journal") })
  } finally {
    await crew.dismiss()
    await kv.close()
    folder.dispose()
  }
}
