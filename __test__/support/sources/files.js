// Files of the tree as text.
import { readdirSync, readFileSync } from "node:fs"
import { join, relative, sep } from "node:path"

/** Every file below a folder with this ending, as paths with `/` from the folder. */
export function filesBelow(folder, ending) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) =>
      relative(folder, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join("/"),
    )
    .sort()
}

const COMMENTS_AND_TEXTS =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|r(#+)"[\s\S]*?"\1|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\\n]|\\[^\n]{1,8})'/g

/** Comments and the insides of text literals become blanks; what is left has the same length. */
export function withoutComments(source) {
  return source.replace(COMMENTS_AND_TEXTS, (text) => text.replace(/[^\n]/g, " "))
}

/** The text literals of a source, as `{ at, text }`: with their quotation marks, and where they begin. */
export function textsOf(source) {
  return [...source.matchAll(COMMENTS_AND_TEXTS)]
    .filter(([text]) => /^[r"]/.test(text))
    .map(({ 0: text, index }) => ({ at: index, text }))
}

export function read(folder, file) {
  return readFileSync(join(folder, file), "utf8")
}
