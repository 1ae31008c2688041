/**
 * Filters, on their way to Rust, which reads and checks them (`src/engine/filter/`). Objects, arrays, times and values are
 * told apart by what wraps them, so that a user's own names can never be taken for something else.
 */

import { describe, invalidArgument, limitExceeded } from "./errors.js"
import { MAX_NESTING_DEPTH } from "./limits.js"
import { Now } from "./placeholders.js"
import { encodeFilterValue } from "./value/index.js"
import { isPlainPrototype } from "./value/kinds.js"

/** The text of a filter; nothing, if there is none. */
export function filterText(where: unknown): string | undefined {
  if (where === undefined) return undefined
  if (!isPlain(where))
    throw invalidArgument(`where: must be an object such as { status: "open" }, got ${describe(where)}`)
  return node(where, "where", 0)
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && isPlainPrototype(Object.getPrototypeOf(value))
}

function node(value: unknown, place: string, depth: number): string {
  if (depth > MAX_NESTING_DEPTH)
    throw limitExceeded(`${place}: nesting`, `more than ${MAX_NESTING_DEPTH}`, MAX_NESTING_DEPTH, "levels")
  if (value === undefined)
    throw invalidArgument(
      `${place}: it is undefined; leave it out, or ask { $null: true } for what is absent`,
    )
  if (value instanceof Now) return `{"n":${Now.offsetMs(value)}}`
  if (Array.isArray(value))
    return `{"a":[${value.map((one, at) => node(one, `${place}[${at}]`, depth + 1))}]}`
  if (!isPlain(value)) return `{"v":${encodeFilterValue(value, place)}}`
  const members = Object.keys(value).map(
    (name) => `[${JSON.stringify(name)},${node(value[name], `${place}.${name}`, depth + 1)}]`,
  )
  return `{"o":[${members}]}`
}
