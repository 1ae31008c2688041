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

/** Comments and the insides of text literals become blanks; what is left has the same length. */
export function withoutComments(source) {
  const pattern =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|r(#+)"[\s\S]*?"\1|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\\n]|\\[^\n]{1,8})'/g
  return source.replace(pattern, (text) => text.replace(/[^\n]/g, " "))
}

export function read(folder, file) {
  return readFileSync(join(folder, file), "utf8")
}
