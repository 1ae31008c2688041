// Reads the documents: their programs, their tables, their links.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../runtimes.js"

export const read = (path) => readFileSync(join(root, path), "utf8")

const namesIn = (folder, ending) => readdirSync(join(root, folder)).filter((name) => name.endsWith(ending))

/** What users read: paths from the root. */
export const pages = ["README.md", ...namesIn("docs", ".md").map((name) => `docs/${name}`)]

/** Programs that run by themselves, without a package of their own. `cities.js` is the demo. */
export const examples = [...namesIn("examples", ".js"), ...namesIn("examples", ".ts")].filter(
  (name) => name !== "cities.js",
)

/**
 * The programs of a Markdown file, whole: blocks that say `js` or `ts`, and `javascript` for one that the
 * tests do not run. A `js` block is JavaScript that TypeScript takes as it is.
 */
export const programsOf = (text) =>
  [...text.matchAll(/^```(js|ts|javascript)\n(.*?)^```$/gms)].map(([, language, code]) => ({
    language,
    code,
  }))

/** The `@example` blocks of doc comments, as programs that have a `kv`. */
export const hoverProgramsOf = (source) =>
  [...source.matchAll(/^ *\* ```(?:js|ts)\n(.*?)^ *\* ```$/gms)].map(([, lines]) =>
    lines.replaceAll(/^ *\* ?/gm, ""),
  )

/** The blocks that name a file (```ts examples/name.ts): parts of it. */
export const excerptsOf = (text) =>
  [...text.matchAll(/^```(?:js|ts) (examples\/\S+)\n(.*?)^```$/gms)].map(([, file, code]) => ({ file, code }))

/** A Markdown file without its code: blocks, and code within a line. */
export const prose = (text) => text.replaceAll(/^ *```.*?^ *```$/gms, "").replaceAll(/`[^`\n]*`/g, "")

/** Rows of all tables, as lists of cells. */
export const rowsOf = (text) =>
  [...text.matchAll(/^\|(.*)\|$/gm)].map(([, row]) => row.split("|").map((cell) => cell.trim()))

/** The anchors of a Markdown file, as GitHub makes them from its headings. */
export function anchorsOf(text) {
  const seen = new Map()
  const headings = text.replaceAll(/^ *```.*?^ *```$/gms, "").matchAll(/^#{1,6} (.*)$/gm)
  return [...headings].map(([, heading]) => {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-")
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  })
}
