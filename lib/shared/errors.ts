/** The one class of error, and how arguments are shown in its messages. */

import { constants } from "node:os"
import { types } from "node:util"
import type { KvError as Contract, KvErrorCode, KvSystemError } from "../../index.js"
import { define } from "./define.js"

const RETRYABLE: readonly KvErrorCode[] = ["BUSY", "UNAVAILABLE"]

export class KvError extends Error implements Contract {
  declare readonly name: "KvError"
  readonly code: KvErrorCode
  readonly retryable: boolean
  declare readonly outcome?: "unknown"

  constructor(
    code: KvErrorCode,
    message: string,
    options: { cause?: unknown; outcome?: "unknown" | undefined } = {},
    ...extra: unknown[]
  ) {
    refuseUnknown(options, extra)
    super(message, "cause" in options ? { cause: options.cause } : undefined)
    this.code = code
    this.retryable = options.outcome === undefined && RETRYABLE.includes(code)
    if (options.outcome !== undefined) this.outcome = options.outcome
  }
}

// On the prototype, as the built-in classes have it: an own member would show in every printed error.
define(KvError.prototype, "name", "KvError")

/** `options.ts` takes options for all others; it makes errors itself. */
function refuseUnknown(options: unknown, extra: readonly unknown[]): void {
  if (typeof options !== "object" || options === null)
    throw invalidArgument(`options: must be an object, got ${describe(options)}`)
  for (const name of Object.keys(options))
    if (name !== "cause" && name !== "outcome")
      throw invalidArgument(`options.${short(name)}: there is no such option; it takes cause, outcome`)
  for (const one of extra)
    if (one !== undefined) throw invalidArgument(`options: this call takes none here, got ${describe(one)}`)
}

export function invalidArgument(message: string): KvError {
  return new KvError("INVALID_ARGUMENT", message)
}

/**
 * An error within a place: the argument that the message is about. The one function that writes it, as Rust's
 * `Error::at`.
 */
export function at(place: string, error: unknown): unknown {
  if (!(error instanceof KvError)) return error
  const { code, message, outcome } = error
  return new KvError(code, `${place}: ${message}`, {
    outcome,
    ...("cause" in error ? { cause: error.cause } : {}),
  })
}

/** The system's error, as the addon passes it (`src/binding/results/text.rs`). */
export interface SystemSource {
  message: string
  errno: number | null
  sqlite: string | null
  operation: string | null
  path: string | null
}

/** The cause of an error of the disk. */
export function systemError({ message, errno, sqlite, operation, path }: SystemSource): KvSystemError {
  const number = errno === null ? undefined : Math.abs(errno)
  const name = Object.entries(constants.errno).find(([, known]) => known === number)?.[0]
  const where = [operation, path === null ? null : `'${short(path)}'`].filter((part) => part !== null)
  const code = name ?? sqlite
  const text = [code === null ? message : `${code}: ${message}`, where.join(" ")].filter(
    (part) => part !== "",
  )
  const given = { code, errno, sqlite, operation, path }
  const members = Object.entries(given).filter(([, value]) => value !== null)
  return Object.assign(new Error(text.join(", ")), Object.fromEntries(members))
}

/** The same words as Rust's `Error::limit`. */
export function limitExceeded(what: string, size: number | string, limit: number, unit: string): KvError {
  return new KvError("LIMIT_EXCEEDED", `${what}: ${size} ${unit} are over the limit of ${limit} ${unit}`)
}

export function corrupt(message: string): KvError {
  return new KvError("CORRUPT", message)
}

export function closed(): KvError {
  return new KvError(
    "CLOSED",
    'this Kv is closed: close() was called, and it takes no calls since; await what still needs it first, such as listener.stop({ timeout: "30s" })',
  )
}

/** The text of whatever a handler threw. */
export function errorText(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : undefined
    return typeof message === "string" && message !== "" ? message : String(error)
  } catch {
    return "an error that has no text"
  }
}

const SHOWN_BEGIN_CHARS = 200
const SHOWN_END_CHARS = 100

/** A text of an argument as a message shows it, cut in its middle if it is long; as Rust's `error::short`. */
export function short(text: string): string {
  if (text.length <= SHOWN_BEGIN_CHARS + SHOWN_END_CHARS) return text
  // Without the halves of pairs that the cuts went through.
  const begin = text.slice(0, SHOWN_BEGIN_CHARS).replace(/[\ud800-\udbff]$/, "")
  return `${begin}…${text.slice(-SHOWN_END_CHARS).replace(/^[\udc00-\udfff]/, "")}`
}

const MAX_PREVIEW_CHARS = 60
const MAX_PREVIEW_MEMBERS = 8
const MAX_PREVIEW_DEPTH = 2
const LONG_BIGINT = 1n << 256n
const SECRET = /token|secret|passw|auth/i

/**
 * An argument for a message: its type and the beginning of it. Never throws, calls no getter and shows
 * nothing that is named like a secret. Not for stored values.
 */
export function describe(value: unknown): string {
  try {
    if (value === null || value === undefined) return String(value)
    if (types.isPromise(value)) return "a Promise; await it first"
    const [type, shown] = [typeName(value), preview(value)]
    return shown === "" ? type : `${type} ${shown}`
  } catch {
    return typeof value
  }
}

/** The beginning of a value, such as a key. */
export function preview(value: unknown): string {
  return cut(render(value, 0))
}

function cut(text: string): string {
  if (text.length <= MAX_PREVIEW_CHARS) return text
  // Without the first half of a pair that the cut went through.
  return `${text.slice(0, MAX_PREVIEW_CHARS - 1).replace(/[\ud800-\udbff]$/, "")}…`
}

function typeName(value: unknown): string {
  if (typeof value !== "object" || value === null) return typeof value
  if (Array.isArray(value)) return "array"
  const proto = Object.getPrototypeOf(value)
  if (proto === null || proto === Object.prototype) return "object"
  const named = Object.getOwnPropertyDescriptor(proto, "constructor")?.value?.name
  return typeof named === "string" && named !== "" ? cut(named) : "object"
}

function render(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(cut(withoutSecrets(value.slice(0, 10 * MAX_PREVIEW_CHARS))))
    case "number":
      return Object.is(value, -0) ? "-0" : String(value)
    case "bigint":
      return value > LONG_BIGINT || value < -LONG_BIGINT ? "of more than 256 bits" : `${value}n`
    case "function":
      return cut(String(value.name))
    case "object":
      return value === null ? "null" : renderObject(value, depth)
    default:
      return String(value)
  }
}

/** Passwords and tokens of URLs. */
function withoutSecrets(text: string): string {
  return text
    .replace(/\/\/[^/@\s]*@/g, "//…@")
    .replace(/([\w-]*(?:token|secret|passw|auth)[\w-]*=)[^&#\s]*/gi, "$1…")
}

function renderObject(value: object, depth: number): string {
  const [open, close] = Array.isArray(value) ? "[]" : "{}"
  if (ArrayBuffer.isView(value)) return `of ${value.byteLength} bytes`
  if (value instanceof Date) return String(Date.prototype.getTime.call(value))
  if (value instanceof URL) return JSON.stringify(withoutSecrets(value.href))
  if (depth === MAX_PREVIEW_DEPTH) return `${open}…${close}`
  const keys = Object.keys(value)
  const shown = keys.slice(0, MAX_PREVIEW_MEMBERS).map((key) => renderMember(value, key, depth))
  if (keys.length > shown.length) shown.push("…")
  return `${open}${shown.join(", ")}${close}`
}

function renderMember(value: object, key: string, depth: number): string {
  const member = Object.getOwnPropertyDescriptor(value, key)
  const text = member?.get || SECRET.test(key) ? "…" : render(member?.value, depth + 1)
  return Array.isArray(value) ? text : `${JSON.stringify(cut(key))}: ${text}`
}
