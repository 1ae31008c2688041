// How late the event loop is while it writes as much as it can.
import { join } from "node:path"
import { answerOf } from "../child-process.js"
import { available } from "../peers/better-sqlite3.js"
import { figure, judged, table } from "../report/figures.js"
import { Missing } from "../report/missing.js"
import { bounds } from "../targets.js"

const WRITERS = 64

export const title = "The event loop under full write load"

export async function measure({ folder, quick }) {
  const ms = quick ? 1000 : 10_000
  const measured = async (title, name, writers) => {
    const file = join(folder, `${name}-${writers}.db`)
    const answer = await answerOf("loop.js", [name, file, ms, writers])
    // A loop that wrote nothing was never late, so it must not pass.
    if (answer.calls < writers) throw new Error(`${title}: ${answer.calls} calls in ${ms} ms`)
    if (name === "keyval" && answer.p999 === null)
      throw new Error(`${title}: no turn of the loop in ${ms} ms`)
    return { title, ...answer }
  }
  const missing = new Missing()
  const attempted = (...what) => missing.attempt(what[0], () => measured(...what))
  const idle = await attempted("nothing", "nothing", 0)
  const keyval = await attempted(`KeyVal, ${WRITERS} writers`, "keyval", WRITERS)
  const others = []
  if (available()) {
    others.push(await attempted("better-sqlite3, 1 writer", "better-sqlite3", 1))
    others.push(await attempted(`better-sqlite3, ${WRITERS} writers`, "better-sqlite3", WRITERS))
  }
  return { ms, idle, keyval, others: others.filter(Boolean), missing: missing.found }
}

export function markdown({ ms, idle, keyval, others }) {
  const rows = [idle, keyval, ...others]
    .filter(Boolean)
    .map((one) => [
      one.title,
      ...[one.p50, one.p99, one.p999, one.max, one.callP999, one.callMax].map((ms) =>
        ms === null ? "–" : figure(ms),
      ),
      Math.round((one.calls * 1000) / ms).toLocaleString("en"),
    ])
  return [
    `## ${title}`,
    `Node, ${ms / 1000} s of random sets. A writer of KeyVal awaits each set; one of better-sqlite3, whose calls wait for the disk
themselves, each turn of the loop. In ms: how late the loop was (\`monitorEventLoopDelay\` with a timer of 1 ms, which a
free loop shows too: "nothing"), and how long a call of \`set\` held it. "–": the timer never had its turn.`,
    table(["", "loop p50", "p99", "p99.9", "max", "call p99.9", "max", "sets a second"], rows),
    keyval &&
      `KeyVal, at p99.9: the loop ${judged(keyval.p999, bounds.callP999Ms, "ms")}, a call ${judged(keyval.callP999, bounds.callP999Ms, "ms")}.`,
  ]
    .filter(Boolean)
    .join("\n\n")
}
