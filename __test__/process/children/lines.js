import { writeSync } from "node:fs"

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
