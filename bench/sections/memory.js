// The memory that an open store, a long list and a bulk load add to a process.
import { join } from "node:path"
import { answerOf } from "../child-process.js"
import { bullets, judged, median } from "../report/figures.js"
import { Missing } from "../report/missing.js"
import { bounds } from "../targets.js"

export const title = "Memory"

export async function measure({ folder, quick }) {
  const missing = new Missing()
  const entries = quick ? 20_000 : 1_000_000
  const file = join(folder, "memory.db")
  const added = async (what, rounds) => {
    const found = []
    for (let round = 0; round < rounds; round++) {
      const answer = await answerOf("memory.js", [what, file, entries])
      if (what === "iterate" && answer.seen !== entries)
        throw new Error(`it saw ${answer.seen} of ${entries}`)
      found.push(answer.added)
    }
    return median(found)
  }
  const attempted = (what, rounds) => missing.attempt(what, () => added(what, rounds))
  return {
    entries,
    load: await attempted("load", 1),
    iterate: await attempted("iterate", 3),
    open: await attempted("open", 5),
    missing: missing.found,
  }
}

export function markdown({ entries, load, iterate, open }) {
  const many = entries.toLocaleString("en")
  return [
    `## ${title}`,
    `Node with its default heap; MB of resident memory (RSS) that are added, at the most; values of 190 bytes. It counts what V8 leaves
uncollected.`,
    bullets({
      "An open, idle store": judged(open, bounds.idleMb, "MB"),
      [`Iterating over ${many} entries`]: judged(iterate, bounds.iterateMb, "MB"),
      [`Loading ${many} entries with \`setMany\``]: judged(load, bounds.loadMb, "MB"),
    }),
  ].join("\n\n")
}
