// Reads the hand-written `index.d.ts` as text: its layout is ours, so a parser of TypeScript is not needed.

function withoutComments(source) {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, "")
}

function bodyAt(source, open) {
  let depth = 0
  for (let at = open; at < source.length; at++) {
    if (source[at] === "{") depth++
    if (source[at] === "}" && --depth === 0) return source.slice(open + 1, at)
  }
  throw new Error("a body without its end")
}

const MEMBER = /^ {2}(?:static |readonly )*(\[Symbol\.\w+\]|\w+)\??\s*[(:<]/
const METHOD = /^ {2}(\w+)\s*[(<]/

/** Members stand two columns in; deeper lines belong to a member's type. */
function membersOf(body, pattern = MEMBER) {
  const names = body
    .split("\n")
    .map((line) => line.match(pattern)?.[1])
    .filter(Boolean)
  return [...new Set(names)].filter((name) => name !== "constructor").sort()
}

/** Names, members and methods of the classes and interfaces, and the names that exist at run time. */
export function readDeclarations(source) {
  const code = withoutComments(source)
  const types = new Map()
  for (const match of code.matchAll(/export (class|interface) (\w+)[^{]*/g)) {
    const [head, kind, name] = match
    const body = bodyAt(code, match.index + head.length)
    types.set(name, { kind, members: membersOf(body), methods: membersOf(body, METHOD) })
  }
  const values = [...code.matchAll(/export (?:class|const|function|let) (\w+)/g)].map(([, name]) => name)
  return { types, values: [...new Set(values)].sort() }
}

/**
 * Members that are functions which a program gives, or that take one, as `Type.member`; types of functions by
 * their names.
 */
export function readCallbacks(source) {
  const code = withoutComments(source)
  const found = new Set(
    [...code.matchAll(/export type (\w+)(?:<[^>]*>)? = \([^)]*\) =>/g)].map(([, name]) => name),
  )
  for (const match of code.matchAll(/export (?:class|interface) (\w+)[^{]*/g)) {
    const body = bodyAt(code, match.index + match[0].length)
    // A member begins two columns in, and goes on until the next one.
    for (const member of body.split(/\n(?= {2}[^ }\])|])/)) {
      const name = member.match(/^ *(?:static |readonly )*"?([\w~]+)/)?.[1]
      if (name !== undefined && member.includes("=>")) found.add(`${match[1]}.${name}`)
    }
  }
  return [...found].sort()
}
