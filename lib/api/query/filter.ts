/**
 * Filters, on their way to Rust, which parses and checks them (`src/engine/query/filter/`). Objects, arrays,
 * times and values are wrapped differently, so that no name of a user can be taken for something else.
 */

import { types } from "node:util"
import { describe, invalidArgument, limitExceeded, short } from "../../shared/errors.js"
import { isList, isPlainPrototype, isRevokedProxy } from "../../shared/kinds.js"
import { MAX_NESTING_DEPTH } from "../../shared/limits.js"
import { Now } from "../../shared/placeholders.js"
import { encodeFilterValue } from "../../value/index.js"

/** Nested conditions; one may be an object and an array (`$and`), and a value. Rust counts conditions. */
const MAX_DEPTH = 3 * MAX_NESTING_DEPTH

type Names = Record<string, unknown>

/** The text of a filter; `undefined` if there is none. */
export function filterText(where: unknown): string | undefined {
  if (where === undefined) return undefined
  if (!isPlain(where))
    throw invalidArgument(`where: must be an object such as { status: "open" }, got ${describe(where)}`)
  return node(where, "where", [])
}

/** A revoked proxy throws at every access: it counts as a value, and is refused as one. */
function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !isRevokedProxy(value)
}

function isPlain(value: unknown): value is Names {
  return isObject(value) && isPlainPrototype(Object.getPrototypeOf(value))
}

/** `around`: the objects and arrays that the value is in. */
function node(value: unknown, place: string, around: object[]): string {
  if (value === undefined)
    throw invalidArgument(
      `${place}: it is undefined; leave it out, or match absent values with { $null: true }`,
    )
  if (isObject(value) && value instanceof Now) return `{"n":${Now.offsetMs(value)}}`
  const array = isList(value) ? value : undefined
  refuseNoValue(value, place)
  if (array === undefined && !isPlain(value)) return `{"v":${encodeFilterValue(value, place)}}`
  const nested = value as object
  if (around.includes(nested))
    throw invalidArgument(`${place}: it leads back to what it is in; a filter cannot hold a cycle`)
  if (around.length === MAX_DEPTH)
    throw limitExceeded(`${place}: nesting`, `more than ${MAX_DEPTH}`, MAX_DEPTH, "levels")
  around.push(nested)
  const text = array ? arrayText(array, place, around) : objectText(value as Names, place, around)
  around.pop()
  return text
}

/** Refuses functions and other things that are no values. */
function refuseNoValue(value: unknown, place: string): void {
  if (typeof value === "function")
    throw invalidArgument(
      `${place}: it is a function, and no code is run in a filter; give a value, or read the entries and look at them there`,
    )
  if (types.isPromise(value)) throw invalidArgument(`${place}: it is a Promise; await it first`)
  if (types.isBoxedPrimitive(value))
    throw invalidArgument(`${place}: it is a boxed primitive; give the primitive, value.valueOf()`)
}

/** A hole is undefined, and refused. */
function arrayText(array: readonly unknown[], place: string, around: object[]): string {
  return `{"a":[${Array.from(array, (one, at) => node(one, short(`${place}[${at}]`), around))}]}`
}

function objectText(object: Names, place: string, around: object[]): string {
  for (const symbol of Object.getOwnPropertySymbols(object))
    throw invalidArgument(
      `${place}: it has the member ${short(String(symbol))}; fields and operators are strings`,
    )
  const members = Object.keys(object).map(
    (name) => `[${JSON.stringify(name)},${node(object[name], short(`${place}.${name}`), around)}]`,
  )
  return `{"o":[${members}]}`
}
