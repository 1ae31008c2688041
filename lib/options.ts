/** Options: what may be given, and what is refused rather than ignored. */

import type { KvExpireOptions, KvOptions } from "../index.js"
import { describe, invalidArgument, KvError, short } from "./errors.js"

/** The arguments of an opening, still unchecked where Rust checks them. */
export interface KvSettings extends KvOptions {
  url: string
}

const OPTIONS = ["durability", "busyTimeout", "sweepInterval", "changeLog", "retention", "tracer"]
/** Documented for stores that this version does not open, and for filters. */
const NOT_YET = ["authToken", "syncUrl", "syncInterval", "backend", "mode", "pollInterval"]

/** Refuses an options argument that is no object, or that has a member which nothing reads. */
export function checkOptions(options: unknown, known: readonly string[], name = "options"): void {
  if (options === undefined) return
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw invalidArgument(`${name}: must be an object, got ${describe(options)}`)
  for (const member in options) {
    if (known.includes(member)) continue
    if (NOT_YET.includes(member) && (options as Record<string, unknown>)[member] !== undefined)
      throw new KvError("UNSUPPORTED", `${name}.${member}: this version does not support it`)
    if (!NOT_YET.includes(member)) throw unknownMember(name, member, known)
  }
}

function unknownMember(name: string, member: string, known: readonly string[]): KvError {
  const choice = known.length === 0 ? "it takes none" : `it takes ${known.join(", ")}`
  return invalidArgument(`${name}.${short(member)}: there is no such option; ${choice}`)
}

/** Where to open, and how. */
export function settingsOf(url: unknown, options: KvOptions | undefined): KvSettings {
  checkOptions(options, OPTIONS)
  return { ...options, url: urlText(url) }
}

function urlText(url: unknown): string {
  if (url === undefined) return process.env.LIBSQL_URL || "file:keyval.db"
  if (typeof url === "string") return url
  if (url instanceof URL) return url.href
  throw invalidArgument(`url: must be a string or a URL, got ${describe(url)}`)
}

const EXPIRE = ["expiresIn", "expireIn"]

/** The time to live, of either spelling. */
export function expiresIn(options: KvExpireOptions | undefined, known: readonly string[] = EXPIRE): unknown {
  if (options === undefined) return undefined
  checkOptions(options, known)
  const { expiresIn, expireIn } = options
  if (expiresIn !== undefined && expireIn !== undefined)
    throw invalidArgument("expiresIn: expireIn is given too; give one of them")
  return expiresIn === undefined ? expireIn : expiresIn
}

/** A whole number in a range. */
export function wholeNumber(value: unknown, name: string, from: number, to: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= from && value <= to) return value
  const range = to === Number.MAX_SAFE_INTEGER ? `from ${from}` : `from ${from} to ${to}`
  throw invalidArgument(`${name}: must be a whole number ${range}, got ${describe(value)}`)
}

export function flag(value: unknown, name: string): boolean {
  if (value === undefined) return false
  if (typeof value === "boolean") return value
  throw invalidArgument(`${name}: must be true or false, got ${describe(value)}`)
}

export function checkConsistency(value: unknown): void {
  if (value !== undefined && value !== "strong" && value !== "eventual")
    throw invalidArgument(`consistency: must be "strong" or "eventual", got ${describe(value)}`)
}
