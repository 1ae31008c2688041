/** The names that stored text uses, shared by both directions. */

import { constructorOf, isNative } from "../shared/kinds.js"

/** The encodings of stored bytes: JSON text, JSON text with tagged members, a `Uint8Array`, a `KvU64`. */
export type Encoding = 0 | 1 | 2 | 3
export const JSON_TEXT = 0
export const TAGGED_JSON = 1
export const BYTES = 2
export const U64 = 3

export const U64_BYTES = 8

/** The member that makes an object a tag: `{ "__type": "bigint", "value": "123" }`. */
export const TAG = "__type"

/**
 * Views and buffers under the tag `typedarray`, by their `kind`; a `Uint8Array` has the tag `bytes`.
 * `Float16Array` is missing because Node 20 could not read it. Bytes are stored as they lie in memory: every
 * platform that the package is built for is little-endian.
 */
export const VIEWS: ReadonlyMap<string, (buffer: ArrayBuffer) => object> = new Map<
  string,
  (buffer: ArrayBuffer) => object
>([
  ["ArrayBuffer", (buffer) => buffer],
  ["DataView", (buffer) => new DataView(buffer)],
  ["Int8Array", (buffer) => new Int8Array(buffer)],
  ["Uint8ClampedArray", (buffer) => new Uint8ClampedArray(buffer)],
  ["Int16Array", (buffer) => new Int16Array(buffer)],
  ["Uint16Array", (buffer) => new Uint16Array(buffer)],
  ["Int32Array", (buffer) => new Int32Array(buffer)],
  ["Uint32Array", (buffer) => new Uint32Array(buffer)],
  ["Float32Array", (buffer) => new Float32Array(buffer)],
  ["Float64Array", (buffer) => new Float64Array(buffer)],
  ["BigInt64Array", (buffer) => new BigInt64Array(buffer)],
  ["BigUint64Array", (buffer) => new BigUint64Array(buffer)],
])

/**
 * What the language gives to errors of some classes and does not show: `cause`, those of an `AggregateError`,
 * of a `SuppressedError`.
 */
export const HIDDEN_FIELDS = ["cause", "errors", "error", "suppressed"]

const suppressed: [string, () => Error] = ["SuppressedError", () => new SuppressedError(undefined, undefined)]

/** Classes of error that read back as themselves; every other is an `Error` with its name. */
export const ERRORS: ReadonlyMap<string, () => Error> = new Map<string, () => Error>([
  ["Error", () => new Error()],
  ["TypeError", () => new TypeError()],
  ["RangeError", () => new RangeError()],
  ["SyntaxError", () => new SyntaxError()],
  ["ReferenceError", () => new ReferenceError()],
  ["EvalError", () => new EvalError()],
  ["URIError", () => new URIError()],
  ["AggregateError", () => new AggregateError([])],
  // Node 20 lacks it: there they read back as an `Error` of that name.
  ...(typeof SuppressedError === "undefined" ? [] : [suppressed]),
])

/** The nearest built-in class of an error. */
export function errorClass(error: Error): string {
  for (let proto = Object.getPrototypeOf(error); proto !== null; proto = Object.getPrototypeOf(proto)) {
    const own = constructorOf(proto)
    for (const name of ERRORS.keys()) if (isNative(own, name)) return name
  }
  return "Error"
}
