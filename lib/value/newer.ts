/**
 * What some runtimes have that others lack. A file is used by several: what the oldest supported one (Node.js
 * 20) cannot read is refused when it is written, and what this one cannot read is reported with its path.
 */

/** The code units of a source that Bun still takes. */
const MAX_REGEXP_UNITS = 1024 * 1024

const { bun, node } = process.versions
export const thisRuntime = bun === undefined ? `Node.js ${node}` : `Bun ${bun}`

interface Newer {
  /** Its name, as a part of a sentence. */
  what: string
  /** The runtimes that have it. */
  writers: string
}

export const FLOAT16: Newer = { what: "a Float16Array", writers: "Bun, or Node.js 24 or newer" }
const MODIFIERS: Newer = {
  what: "a RegExp with modifiers such as (?i:)",
  writers: "Bun, or Node.js 23 or newer",
}
const SAME_NAMES: Newer = {
  what: "a RegExp with several groups of one name",
  writers: "Bun, or Node.js 23 or newer",
}
const LONG: Newer = { what: `a RegExp of more than ${MAX_REGEXP_UNITS} code units`, writers: "Node.js" }

/** Syntax of regular expressions that not every runtime takes. */
export function newerSyntax(source: string, flags: string): Newer | undefined {
  if (source.length > MAX_REGEXP_UNITS) return LONG
  if (!source.includes("(?")) return undefined
  const names = new Set<string>()
  for (const group of groupsOf(source, flags.includes("v"))) {
    if (/^\?[ims]*-?[ims]*:/.test(group) && !group.startsWith("?:")) return MODIFIERS
    const name = /^\?<(?![=!])([^>]*)>/.exec(group)?.[1]
    if (name === undefined) continue
    if (names.has(plainName(name))) return SAME_NAMES
    names.add(plainName(name))
  }
  return undefined
}

/** The text after the bracket of each group. Sets are skipped; with the flag `v` they nest. */
function* groupsOf(source: string, nests: boolean): Iterable<string> {
  let depth = 0
  for (let at = 0; at < source.length; at++) {
    const char = source[at]
    if (char === "\\") at++
    else if (char === "[" && (nests || depth === 0)) depth++
    else if (char === "]" && depth > 0) depth--
    else if (char === "(" && depth === 0 && source[at + 1] === "?")
      yield source.slice(at + 1, at + 1 + GROUP_UNITS)
  }
}

/** Enough of a group for its kind or its name. */
const GROUP_UNITS = 1024

/** A group's name without escapes. */
function plainName(name: string): string {
  return name.replace(/\\u(?:\{([0-9a-f]+)\}|([0-9a-f]{4}))/gi, (_, long, short) =>
    long ? String.fromCodePoint(Number.parseInt(long, 16)) : String.fromCharCode(Number.parseInt(short, 16)),
  )
}

/** The words of a refusal to write it, before "cannot be stored". */
export function refusalOf({ what }: Newer): string {
  return `${what}, which other supported runtimes could not read,`
}

/** The words for one that was stored, by an earlier version or another program. */
export function unreadableWords({ what, writers }: Newer): string {
  return `${what}, which ${thisRuntime} cannot make; it was written by ${writers}`
}
