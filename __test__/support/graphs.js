/** Values as graphs: which of their objects are one. */

import fc from "fast-check"

/** What an object holds, each with the step that leads there. */
function contents(value) {
  if (value instanceof Map)
    return [...value].flatMap(([key, one], at) => [
      [`key ${at}`, key],
      [`value ${at}`, one],
    ])
  if (value instanceof Set) return [...value].map((one, at) => [`member ${at}`, one])
  const names = Object.keys(value)
  if (value instanceof Error) names.push("cause")
  return names.map((name) => [name, value[name]])
}

/**
 * Each object of a value by the way on which it is met first, and all other ways to it: its shape as a graph.
 */
export function shapeOf(value) {
  const [ways, lines] = [new Map(), []]
  const walk = (one, way) => {
    if (typeof one !== "object" || one === null) return lines.push(`${way} ${typeof one} ${String(one)}`)
    if (ways.has(one)) return lines.push(`${way} is ${ways.get(one)}`)
    ways.set(one, way)
    const kind = Object.prototype.toString.call(one)
    const size = Array.isArray(one) ? ` of ${one.length}` : ""
    lines.push(`${way} ${kind}${size}`)
    for (const [step, inner] of contents(one)) walk(inner, `${way}/${step}`)
  }
  walk(value, "")
  return lines
}

/** Arrays, objects, Maps, Sets and errors that hold each other at random, and leaves. */
export const graphs = fc
  .array(
    fc.record({
      kind: fc.constantFrom("object", "array", "map", "set", "error", "own tag"),
      links: fc.array(
        fc.record({ name: fc.constantFrom("a", "b", "7", "__proto__", "value", "ref"), to: fc.nat(40) }),
        { maxLength: 4 },
      ),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((nodes) => {
    const empty = {
      object: () => ({}),
      array: () => [],
      map: () => new Map(),
      set: () => new Set(),
      error: () => new Error("e"),
      "own tag": () => ({ __type: "object" }),
    }
    const leaves = [1, "x", null, undefined, -0, 5n, true]
    const made = nodes.map(({ kind }) => empty[kind]())
    for (const [at, { kind, links }] of nodes.entries()) {
      const object = made[at]
      for (const { name, to } of links) {
        const target = to < made.length ? made[to] : leaves[to % leaves.length]
        if (kind === "array") object.length += to === 40 ? 1 : 0
        if (kind === "array") object.push(target)
        else if (kind === "map") object.set(target, made[to % made.length])
        else if (kind === "set") object.add(target)
        else if (kind === "error")
          Object.defineProperty(object, "cause", { value: target, configurable: true })
        else
          Object.defineProperty(object, name, {
            value: target,
            enumerable: true,
            configurable: true,
            writable: true,
          })
      }
    }
    return made[0]
  })
