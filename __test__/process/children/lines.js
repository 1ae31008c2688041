import { openSync, writeSync } from "node:fs"

/** Prints a line at once, in both runtimes: a killed process has printed what it said. */
export function print(line) {
  const bytes = Buffer.from(`${line}\n`)
  let from = 0
  while (from < bytes.length) {
    try {
      from += writeSync(1, bytes, from)
    } catch (error) {
      if (error.code !== "EAGAIN") throw error
    }
  }
}

export function printJson(value) {
  print(JSON.stringify(value, (_key, member) => (typeof member === "bigint" ? String(member) : member)))
}

/**
 * A file that several processes write to. A line is one write at its end, so their order is that of the
 * writes.
 */
export function journal(path) {
  const file = openSync(path, "a")
  return (...words) => writeSync(file, `${words.join(" ")}\n`)
}

/** Hears what the test says on stdin, line by line; `end` is called when the test closes it, or has died. */
export function hear({ line = () => {}, end }) {
  let rest = ""
  process.stdin.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()
    lines.forEach(line)
  })
  process.stdin.once("end", end)
}
