// Runs a program of children/ in a process of its own, and reads the JSON that it prints, a line at a time.
import { spawn } from "node:child_process"
import { resolve as resolvePath } from "node:path"
import { createInterface } from "node:readline"

/** Loading ten million entries takes minutes; a program that prints nothing for longer hangs. */
const SILENCE_MS = 15 * 60_000

/**
 * Every line that the program prints, as it arrives. The program is killed if it is silent for too long, if
 * the reader stops, or if `signal` is aborted.
 */
export async function* linesOf(
  program,
  args,
  { command = process.execPath, flags = ["--expose-gc"], silenceMs = SILENCE_MS, signal } = {},
) {
  const path = resolvePath(import.meta.dirname, "children", program)
  const child = spawn(command, [...flags, path, ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
    signal,
    killSignal: "SIGKILL",
  })
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message))
    child.on("close", (code, by) => resolve(by ?? code))
  })
  const called = [program, ...args].join(" ")
  let isSilent = false
  const timer = setTimeout(() => {
    isSilent = true
    child.kill("SIGKILL")
  }, silenceMs)
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      timer.refresh()
      yield parsed(line, called)
    }
    const how = await ended
    if (isSilent) throw new Error(`${called} printed nothing for ${silenceMs / 1000} s and was killed`)
    if (how !== 0) throw new Error(`${called} ended with ${how}`)
  } finally {
    clearTimeout(timer)
    child.kill("SIGKILL")
  }
}

/** The one line that it prints, when it has ended. */
export async function answerOf(program, args, options) {
  let answer
  for await (const line of linesOf(program, args, options)) answer ??= line
  if (answer === undefined) throw new Error(`${program} printed nothing`)
  return answer
}

function parsed(line, called) {
  try {
    return JSON.parse(line)
  } catch {
    throw new Error(`${called} printed what is no JSON: ${line}`)
  }
}
