// Reads the sources of the tree as far as the direction of calls needs it.
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

/** The end of the block or statement that begins at `from`. */
function endOfItem(source, from) {
  let depth = 0
  for (let at = from; at < source.length; at++) {
    if (source[at] === "{") depth++
    else if (source[at] === "}" && --depth === 0) return at + 1
    else if (source[at] === ";" && depth === 0) return at + 1
  }
  return source.length
}

/** Rust without comments, texts and `#[cfg(test)]` items. */
export function rustCode(source) {
  let code = withoutComments(source)
  for (;;) {
    const at = code.search(/#\[cfg\(test\)\]/)
    if (at < 0) return code
    code = code.slice(0, at) + code.slice(endOfItem(code, at))
  }
}

/** Files of `#[cfg(test)] mod name;` in a file: `name.rs`, or what a `#[path = "…"]` says. */
export function testModules(source) {
  const declared =
    /#\[cfg\(test\)\]\s*(?:#\[path\s*=\s*"([^"]+)"\]\s*)?(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;/g
  return [...source.matchAll(declared)].map(([, path, name]) => path ?? `${name}.rs`)
}

/** The first names of a group such as `{a, b::{c, d}, e as f}`. */
function namesOfGroup(code, from) {
  const end = endOfItem(code, from)
  const inside = code.slice(from + 1, end - 1)
  let depth = 0
  const flat = [...inside].filter((char) => {
    if (char === "}") depth--
    const keep = depth === 0
    if (char === "{") depth++
    return keep
  })
  return flat
    .join("")
    .split(",")
    .map((item) => item.trim().match(/^\w+/)?.[0])
    .filter(Boolean)
}

function namesAfter(code, at) {
  const rest = code.slice(at)
  const [spaces] = rest.match(/^\s*/)
  if (rest[spaces.length] === "{") return namesOfGroup(code, at + spaces.length)
  return [rest.slice(spaces.length).match(/^\w+/)?.[0]].filter(Boolean)
}

/** The path of modules that a file is, from the crate's root: `engine/read.rs` is `["engine", "read"]`. */
export function modulePath(file) {
  const path = file.replace(/\.rs$/, "").split("/")
  return path.at(-1) === "mod" ? path.slice(0, -1) : path.at(0) === "lib" ? [] : path
}

/** The crate's top modules (or items) that Rust code names, by `crate::` or by `super::` out of its own. */
export function namesOfCrate(code, file) {
  const names = [...code.matchAll(/\bcrate\s*::/g)].flatMap((match) =>
    namesAfter(code, match.index + match[0].length),
  )
  const depth = modulePath(file).length
  for (const match of code.matchAll(/\b(?:super\s*::\s*)+/g)) {
    const ups = match[0].split("super").length - 1
    if (ups >= depth) names.push(...namesAfter(code, match.index + match[0].length))
  }
  return [...new Set(names)]
}

/** What `lib.rs` gives on under a name of its own: `pub use error::Error` is `Error → error`. */
export function reexports(code) {
  const given = new Map()
  for (const match of code.matchAll(/\buse\s+(?:crate\s*::\s*)?(\w+)\s*::\s*([^;]+);/g)) {
    for (const name of match[2].match(/\w+/g) ?? []) given.set(name, match[1])
  }
  return given
}

export function read(folder, file) {
  return readFileSync(join(folder, file), "utf8")
}
