// Requests and answers as JSON text. What JSON has no form for is tagged; values of users go through the
// value codec.
import { types } from "node:util"
import { KvError } from "@buntime/keyval"
import { decodeValue, encodeValue, Unread } from "../../../dist/testing.js"

/** A function or a live object where data belongs. */
export class NoData extends Error {}

/** Data as text: what a request may hold. Throws `NoData` for anything else. */
export function requestText(request) {
  return JSON.stringify(taggedData(request, "request"))
}

/**
 * An answer as text: data, stored values under the name `value`, counters, and values that cannot be read.
 */
export function answerText(answer) {
  return JSON.stringify(taggedAnswer(answer, "answer"))
}

/** What either of them was made of. */
export function fromText(text) {
  return untagged(JSON.parse(text))
}

/** Errors cross with what makes them; any other throwable is no answer of a store, and is thrown as it is. */
export function errorText(error) {
  if (!(error instanceof KvError)) throw error
  const { code, message, outcome, cause } = error
  const system = cause && { message: cause.message, members: { ...cause } }
  return requestText({ code, message, outcome, system })
}

export function errorFromText(text) {
  const { code, message, outcome, system } = fromText(text)
  const cause = system && Object.assign(new Error(system.message), system.members)
  return new KvError(code, message, { outcome, ...(cause && { cause }) })
}

const TAG = "$"
const tag = (kind, data) => ({ [TAG]: kind, data })

function taggedData(value, path, ofMember = taggedData) {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "undefined":
      return tag("undefined")
    case "bigint":
      return tag("bigint", String(value))
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : tag("number", Object.is(value, -0) ? "-0" : String(value))
    case "object":
      return value === null ? null : taggedObject(value, path, ofMember)
    default:
      throw new NoData(`${path}: a ${typeof value} is no data`)
  }
}

function taggedObject(value, path, ofMember) {
  if (!isReadable(value)) throw new NoData(`${path}: a revoked proxy or a detached buffer is no data`)
  if (types.isUint8Array(value)) return tag("bytes", Buffer.from(value).toString("base64"))
  if (Array.isArray(value)) return Array.from(value, (one, at) => ofMember(one, `${path}[${at}]`))
  const made = Object.getPrototypeOf(value)
  if (made !== null && made !== Object.prototype)
    throw new NoData(`${path}: an object of the class ${made.constructor?.name} is no data`)
  const members = Object.entries(value).map(([name, one]) => [name, ofMember(one, `${path}.${name}`)])
  return TAG in value ? tag("object", members) : Object.fromEntries(members)
}

function isReadable(value) {
  try {
    Array.isArray(value)
    return !types.isUint8Array(value) || new Uint8Array(value.buffer) !== undefined
  } catch {
    return false
  }
}

function taggedAnswer(value, path) {
  if (value instanceof Unread) return tag("unread", errorText(value.error))
  if (path.endsWith(".value") && value !== undefined) return taggedValue(value)
  try {
    return taggedData(value, path, taggedAnswer)
  } catch (error) {
    if (!(error instanceof NoData)) throw error
    return taggedValue(value)
  }
}

function taggedValue(value) {
  const { encoding, data } = encodeValue(value, "value")
  return tag("value", [encoding, taggedData(data, "value")])
}

function untagged(data) {
  if (typeof data !== "object" || data === null) return data
  if (Array.isArray(data)) return data.map(untagged)
  if (!(TAG in data))
    return Object.fromEntries(Object.entries(data).map(([name, one]) => [name, untagged(one)]))
  return UNTAG[data[TAG]](data.data)
}

const UNTAG = {
  undefined: () => undefined,
  bigint: BigInt,
  number: Number,
  bytes: (base64) => Uint8Array.from(Buffer.from(base64, "base64")),
  object: (members) => Object.fromEntries(members.map(([name, one]) => [name, untagged(one)])),
  unread: (text) => new Unread(errorFromText(text)),
  value: ([encoding, data]) => decodeValue(encoding, untagged(data)),
}
