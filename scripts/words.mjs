// Refuses words for which English has a plainer one, in the pages that users and contributors read and in the
// comments of the folders below: `node scripts/words.mjs`.
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
const PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "index.d.ts"]
for (const page of readdirSync(join(root, "docs"))) if (page.endsWith(".md")) PAGES.push(`docs/${page}`)

const LOCAL = ["backup", "os", "schema", "sqlite"].map((folder) => `src/store/local/${folder}`)
const FOLDERS = ["lib", "__test__", "src/base", "src/binding", "src/codec", "src/store/sql", ...LOCAL]
const SOURCE = /(?<!\.d)\.(?:[tj]s|rs)$/
/** The comment in a line of TypeScript, JavaScript or Rust: after `//`, or a line of a block. */
const COMMENT = /(?:^|\s)\/[/*].*|^\s*\*\s.*/

/** What is wrong with the words of a page; with those of the comments alone, if it is a source. */
export function wordFaults(name, text, isSource) {
  return text.split("\n").flatMap((line, at) => {
    const prose = isSource ? (COMMENT.exec(line)?.[0] ?? "") : line
    return WORDS.flatMap(([word, better]) =>
      // Code may be named as it likes.
      [...prose.replace(/`[^`]*`/g, "").matchAll(word)].map(
        ([found]) => `${name}:${at + 1}: ${JSON.stringify(found)}; say ${better}`,
      ),
    )
  })
}

function sources(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`
    if (entry.isDirectory()) return sources(name)
    return SOURCE.test(name) ? [name] : []
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = (isSource) => (name) => wordFaults(name, readFileSync(join(root, name), "utf8"), isSource)
  const found = [...PAGES.flatMap(faults(false)), ...FOLDERS.flatMap(sources).flatMap(faults(true))]
  if (found.length > 0) fail(`Plainer words are wanted:\n${found.join("\n")}`)
}
