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

/** Members stand two columns in; deeper lines belong to a member's type. */
function membersOf(body) {
  const names = body
    .split("\n")
    .map((line) => line.match(/^ {2}(?:static |readonly )*(\[Symbol\.\w+\]|\w+)\??\s*[(:<]/)?.[1])
    .filter(Boolean)
  return [...new Set(names)].filter((name) => name !== "constructor").sort()
}

/** Names and members of the classes and interfaces, and the names that exist at run time. */
export function readDeclarations(source) {
  const code = withoutComments(source)
  const types = new Map()
  for (const match of code.matchAll(/export (class|interface) (\w+)[^{]*/g)) {
    const [head, kind, name] = match
    types.set(name, { kind, members: membersOf(bodyAt(code, match.index + head.length)) })
  }
  const values = [...code.matchAll(/export (?:class|const|function|let) (\w+)/g)].map(([, name]) => name)
  return { types, values: [...new Set(values)].sort() }
}
