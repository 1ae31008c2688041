// A cold import, and opening a large file.
import { statSync } from "node:fs"
import { join } from "node:path"
import { answerOf } from "../child-process.js"
import { bullets, judged, median } from "../figures.js"
import { bounds } from "../targets.js"

export async function measure({ folder, quick }) {
  const file = join(folder, "large.db")
  await answerOf("start.js", ["fill", file, quick ? 20 : 1000])
  const rounds = quick ? 3 : 15
  const all = async (...args) => {
    const found = []
    for (let round = 0; round < rounds; round++) found.push((await answerOf("start.js", args, [])).ms)
    return found
  }
  return { rounds, bytes: statSync(file).size, imports: await all("import"), opens: await all("open", file) }
}

export function markdown({ rounds, bytes, imports, opens }) {
  return [
    "## Start",
    `Node; medians of ${rounds} processes, files in the page cache.`,
    bullets({
      "Cold `import` of the package": judged(median(imports), bounds.importMs, "ms"),
      [`Opening a file of ${(bytes / 1e9).toFixed(2)} GB, with the first get`]: judged(
        median(opens),
        bounds.openMs,
        "ms",
      ),
    }),
  ].join("\n\n")
}
