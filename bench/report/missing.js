// A run goes on without the parts that fail. They are kept here with their reasons, and the report names
// them.
import { table } from "./figures.js"

const MOST_REASON = 300

/** The parts that a section has not measured. */
export class Missing {
  /**
   * `{ what, reason, absent }`: what is absent was never installed or built here, which is no failure of the
   * run.
   */
  found = []

  add(what, error, absent = false) {
    const reason = reasonOf(error)
    this.found.push({ what, reason, absent })
    console.error(`Missing: ${what}: ${reason}`)
  }

  /** The result of `work`; `undefined` if it fails. */
  async attempt(what, work) {
    try {
      return await work()
    } catch (error) {
      this.add(what, error)
      return undefined
    }
  }
}

/** The first line of a message, which is all that a table has room for. */
export function reasonOf(error) {
  const [line] = String(error?.message ?? error).split("\n", 1)
  return line.length > MOST_REASON ? `${line.slice(0, MOST_REASON)} …` : line
}

/** Empty where nothing is missing. */
export function missingMarkdown(found = []) {
  if (found.length === 0) return ""
  const cell = (text) => text.replaceAll("|", "\\|")
  return `### Missing\n\n${table(
    ["", "why"],
    found.map(({ what, reason }) => [cell(what), cell(reason)]),
    "---",
  )}`
}
