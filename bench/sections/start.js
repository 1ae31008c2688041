// A cold import, and opening a large file.
import { statSync } from "node:fs"
import { join } from "node:path"
import { answerOf } from "../child-process.js"
import { bullets, judged, median } from "../report/figures.js"
import { Missing } from "../report/missing.js"
import { bounds } from "../targets.js"

export const title = "Start"

export async function measure({ folder, quick }) {
  const file = join(folder, "large.db")
  const missing = new Missing()
  const filled = await missing.attempt("filling a file", () =>
    answerOf("start.js", ["fill", file, quick ? 20 : 1000]),
  )
  const rounds = quick ? 3 : 15
  const all = async (...args) => {
    const found = []
    for (let round = 0; round < rounds; round++)
      found.push((await answerOf("start.js", args, { flags: [] })).ms)
    return found
  }
  return {
    rounds,
    bytes: statSync(file, { throwIfNoEntry: false })?.size ?? 0,
    imports: await missing.attempt("a cold import", () => all("import")),
    opens: filled && (await missing.attempt("opening a file", () => all("open", file))),
    missing: missing.found,
  }
}

export function markdown({ rounds, bytes, imports, opens }) {
  return [
    `## ${title}`,
    `Node; medians of ${rounds} processes, files in the page cache.`,
    bullets({
      "Cold `import` of the package": judged(imports && median(imports), bounds.importMs, "ms"),
      [`Opening a file of ${(bytes / 1e9).toFixed(2)} GB, with the first get`]: judged(
        opens && median(opens),
        bounds.openMs,
        "ms",
      ),
    }),
  ].join("\n\n")
}
