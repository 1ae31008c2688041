// Refuses words for which English has a plainer one, in the pages that users and contributors read and in the
// comments of sources, and comments wider than the code: `node scripts/words.mjs`.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { fail, root } from "./support.mjs"

const WORDS = [
  [/\btold\b/gi, "called with, reported, delivered"],
  [/\banew\b/gi, "again"],
  [/\bstands\b(?! for\b)/gi, "is, exists, is stored"],
  [/(?<!\b(?:all|some|none|each) )\bof which\b/gi, "whose"],
  [/\bwho wants\b/gi, "a noun and that"],
]
/** As rustfmt and Biome are set; neither wraps comments. */
const MAX_COLUMNS = 110

const PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "index.d.ts"]
for (const page of readdirSync(join(root, "docs"))) if (page.endsWith(".md")) PAGES.push(`docs/${page}`)

const FOLDERS = ["src", "lib", "__test__", "tests", "bench", "examples", "fuzz", "scripts"]
const FILES = ["build.rs", "native.cjs"]
const SOURCE = /(?<!\.d)\.(?:[cm]?[tj]s|rs)$/
/** Installed, compiled, or found by the fuzzer. */
const NOT_OURS = /^(?:node_modules|target|corpus|artifacts|results)$/
/** The comment in a line of TypeScript, JavaScript or Rust: after `//`, or a line of a block. */
const COMMENT = /(?:^|\s)\/[/*].*|^\s*\*\s.*/

/** The faults in the words of a page; of a source, those in its comments alone. */
export function wordFaults(name, text, isSource) {
  return text.split("\n").flatMap((line, at) => {
    const prose = isSource ? (COMMENT.exec(line)?.[0] ?? "") : line
    const faults = WORDS.flatMap(([word, better]) =>
      // Names of code are not prose.
      [...prose.replace(/`[^`]*`/g, "").matchAll(word)].map(
        ([found]) => `${JSON.stringify(found)}; say ${better}`,
      ),
    )
    const columns = [...line].length
    if (isSource && prose !== "" && columns > MAX_COLUMNS)
      faults.push(`a comment of ${columns} columns; wrap it at ${MAX_COLUMNS}`)
    return faults.map((fault) => `${name}:${at + 1}: ${fault}`)
  })
}

function sources(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.test(entry.name)) return []
    const name = `${folder}/${entry.name}`
    if (entry.isDirectory()) return sources(name)
    return SOURCE.test(name) ? [name] : []
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = (isSource) => (name) => wordFaults(name, readFileSync(join(root, name), "utf8"), isSource)
  const found = [
    ...PAGES.flatMap(faults(false)),
    ...[...FOLDERS.flatMap(sources), ...FILES].flatMap(faults(true)),
  ]
  if (found.length > 0) fail(`Plainer words, or shorter lines, are wanted:\n${found.join("\n")}`)
}
