// Reads the Rust of `src/` as far as its structure needs it: which file names which other one, through `use`,
// paths and re-exports.
import { join } from "node:path"
import { root } from "../runtimes.js"
import { filesBelow, read, textsOf, withoutComments } from "./files.js"

const SRC = join(root, "src")

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

/** Where the `#[cfg(test)]` items are in code without comments and texts, as `[begin, end]`. */
function testItems(code) {
  return [...code.matchAll(/#\[cfg\(test\)\]/g)].map(({ index }) => [index, endOfItem(code, index)])
}

/** Rust without comments, texts and `#[cfg(test)]` items. */
export function rustCode(source) {
  const code = withoutComments(source)
  return testItems(code).reduceRight((rest, [begin, end]) => rest.slice(0, begin) + rest.slice(end), code)
}

/** Files of `#[cfg(test)] mod name;` in a file: `name.rs`, or what a `#[path = "…"]` says. */
function testModules(source) {
  const declared =
    /#\[cfg\(test\)\]\s*(?:#\[path\s*=\s*"([^"]+)"\]\s*)?(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;/g
  return [...source.matchAll(declared)].map(([, path, name]) => path ?? `${name}.rs`)
}

/** The path of modules that a file is, from the crate's root: `engine/read.rs` is `["engine", "read"]`. */
export function modulePath(file) {
  const path = file.replace(/\.rs$/, "").split("/")
  return path.at(-1) === "mod" ? path.slice(0, -1) : path.at(0) === "lib" ? [] : path
}

/** Every file of `src/` but those that only tests have. */
function programFiles() {
  const files = filesBelow(SRC, ".rs")
  const tests = files.flatMap((file) => {
    const folders = [file.split("/").slice(0, -1), modulePath(file)]
    return testModules(read(SRC, file)).flatMap((name) =>
      folders.map((folder) => [...folder, name].join("/")),
    )
  })
  return files.filter((file) => !tests.includes(file))
}

/** Every file of `src/` with its code, but those that only tests have. */
export function rustSources() {
  return new Map(programFiles().map((file) => [file, rustCode(read(SRC, file))]))
}

/**
 * The text literals of the program in `src/`, each as `{ file, text, before }`: with what is called with it.
 */
export function rustTexts() {
  return programFiles().flatMap((file) => {
    const source = read(SRC, file)
    const tests = testItems(withoutComments(source))
    return textsOf(source)
      .filter(({ at }) => !tests.some(([begin, end]) => begin <= at && at < end))
      .map(({ at, text }) => ({ file, text, before: source.slice(0, at).trimEnd() }))
  })
}

/**
 * What a `use` names: `a::{b, c::{self, d as e}}` is `a::b as b`, `a::c as c`, `a::c::d as e`, as
 * `{ path, name }`.
 */
function usedPaths(tree, before = []) {
  const text = tree.trim()
  const [, head, rest] = text.match(/^((?:\w+\s*::\s*)*)(.*)$/s)
  const path = [...before, ...(head.match(/\w+/g) ?? [])]
  if (rest.startsWith("{")) return members(rest.slice(1, -1)).flatMap((member) => usedPaths(member, path))
  if (rest === "*") return [{ path, name: "*" }]
  const [, last, , alias] = rest.match(/^(\w+)(\s+as\s+(\w+))?$/) ?? []
  if (last === undefined) return []
  if (last === "self" && path.length > 0) return [{ path, name: alias ?? path.at(-1) }]
  return [{ path: [...path, last], name: alias ?? last }]
}

/** The members of a group, whose own groups stay whole. */
function members(inside) {
  const found = [""]
  let depth = 0
  for (const char of inside) {
    if (char === "{") depth++
    if (char === "}") depth--
    if (char === "," && depth === 0) found.push("")
    else found[found.length - 1] += char
  }
  return found.filter((member) => member.trim() !== "")
}

/** What a file declares, names and gives on. */
function parsed(code) {
  const uses = [...code.matchAll(/\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);/g)].flatMap(([, isPublic, tree]) =>
    usedPaths(tree.replace(/^\s*::/, "")).map((used) => ({ ...used, isPublic: isPublic !== undefined })),
  )
  const body = code.replace(/\buse\s+[^;]+;/g, "")
  const children = [...body.matchAll(/\bmod\s+(\w+)\s*;/g)].map(([, name]) => name)
  const paths = [...body.matchAll(/(?<![\w:])\w+(?:\s*::\s*\w+)+/g)].map(([text]) => text.match(/\w+/g))
  return { uses, children, paths, words: new Set(body.match(/\w+/g)) }
}

/**
 * Which files each file names. A name that a module gives on (`pub use`) leads to the file that it comes
 * from; giving a name on is no call by itself, and neither is naming a module without using it.
 */
export function rustArrows(sources) {
  const modules = new Map([...sources.keys()].map((file) => [modulePath(file).join("::"), file]))
  const contents = new Map([...sources].map(([file, code]) => [file, parsed(code)]))

  /** `{ file, isModule }` of an absolute path; null if it leads out of the crate. */
  function target(path, seen = new Set()) {
    let at = []
    for (const [index, part] of path.entries()) {
      if (modules.has([...at, part].join("::"))) {
        at = [...at, part]
        continue
      }
      const here = modules.get(at.join("::"))
      const given = contents.get(here)?.uses.find(({ name, isPublic }) => isPublic && name === part)
      const mark = `${here} ${part}`
      if (!given || seen.has(mark)) return here ? { file: here, isModule: false } : null
      const onwards = absolute(here, [...given.path, ...path.slice(index + 1)])
      return onwards && target(onwards, seen.add(mark))
    }
    return { file: modules.get(at.join("::")), isModule: true, path: at }
  }

  /** A path as seen from a file, from the crate's root; null if it is not of this crate. */
  function absolute(file, path) {
    const own = modulePath(file)
    let [head, ...rest] = path
    if (head === "crate") return rest
    if (head === "self") return [...own, ...rest]
    if (head === "super") {
      let base = own.slice(0, -1)
      while (rest[0] === "super") [base, rest] = [base.slice(0, -1), rest.slice(1)]
      return [...base, ...rest]
    }
    return contents.get(file).children.includes(head) ? [...own, head, ...rest] : null
  }

  const arrows = new Map()
  for (const [file, { uses, paths, words }] of contents) {
    const named = new Set()
    const bound = new Map()
    const add = (found) => {
      if (found?.file && !found.isModule && found.file !== file) named.add(found.file)
    }
    for (const { path, name, isPublic } of uses) {
      const full = absolute(file, path)
      if (full === null) continue
      const found = target(full)
      if (found?.isModule && name !== "*") bound.set(name, found.path)
      else if (name === "*") add(found && { ...found, isModule: false })
      else if (!isPublic || words.has(name)) add(found)
    }
    for (const [head, ...rest] of paths) {
      const full = bound.has(head) ? [...bound.get(head), ...rest] : absolute(file, [head, ...rest])
      if (full !== null) add(target(full))
    }
    arrows.set(file, named)
  }
  return arrows
}
