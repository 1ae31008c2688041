// How late the event loop is while it writes as much as it can.
import { join } from "node:path"
import { answerOf } from "../child-process.js"
import { figure, judged, table } from "../figures.js"
import { available } from "../peers/better-sqlite3.js"
import { bounds } from "../targets.js"

export async function measure({ folder, quick }) {
  const ms = quick ? 300 : 10_000
  const who = ["nothing", "keyval", ...(available() ? ["better-sqlite3"] : [])]
  const found = {}
  for (const name of who) found[name] = await answerOf("loop.js", [name, join(folder, `${name}.db`), ms])
  return { ms, found }
}

export function markdown({ ms, found }) {
  const rows = Object.entries(found).map(([name, { p50, p99, p999, max, longestCallMs, writes }]) => [
    name,
    ...[p50, p99, p999, max, longestCallMs].map(figure),
    Math.round((writes * 1000) / ms).toLocaleString("en"),
  ])
  return [
    "## The event loop under full write load",
    `Node, ${ms / 1000} s of random sets: KeyVal with 64 at once, better-sqlite3 with a commit a turn of the loop. Delays of the event
loop in ms by \`monitorEventLoopDelay\` with a timer of 1 ms, which a free loop shows too ("nothing").`,
    table(["", "p50", "p99", "p99.9", "max", "longest call", "writes a second"], rows),
    `KeyVal's p99.9: ${judged(found.keyval.p999, bounds.callP999Ms, "ms")}.`,
  ].join("\n\n")
}
