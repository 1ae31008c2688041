/** Options: unknown ones are refused rather than ignored. */

import type { KvConsistency, KvExpireOptions, KvOptions } from "../../index.js"
import { describe, invalidArgument, KvError, short } from "./errors.js"
import { isList, isPlainPrototype, isRevokedProxy } from "./kinds.js"

/** The location to open, and its name in errors. */
export interface Place {
  url: string
  urlName: string
}

/** The arguments of an opening, still unchecked where Rust checks them. */
export interface KvSettings extends KvOptions, Place {}

const OPTIONS: readonly (keyof KvOptions)[] = [
  "durability",
  "busyTimeout",
  "sweepInterval",
  "changeLog",
  "retention",
  "deadLetterRetention",
  "tracer",
]
/** Documented for stores that this version does not open, and for filters. */
const NOT_YET = ["authToken", "syncUrl", "syncInterval", "backend", "mode", "pollInterval"]

/**
 * Options that were given: their own members and no prototype, so that nothing on `Object.prototype` is taken
 * for one.
 */
class Given {}
Object.setPrototypeOf(Given.prototype, null)
Reflect.deleteProperty(Given.prototype, "constructor")

/**
 * Reads an options argument, once, and refuses one that is no object or that has a member which nothing
 * reads. It may be a proxy, and members may come from a class or another object that it inherits from; an
 * instance of a class that gives none (a Date, a Map, a Promise that was not awaited) is something else.
 */
export function takeOptions<T extends object>(
  options: unknown,
  known: readonly (keyof T & string)[],
  name = "options",
): T {
  if (options === undefined) return new Given() as T
  if (!isObject(options) || isSomethingElse(options, known))
    throw invalidArgument(`${name}: must be an object, got ${describe(options)}`)
  const given = new Given() as Record<string, unknown>
  const isPlain = isPlainPrototype(Object.getPrototypeOf(options))
  let level: object = options
  do {
    for (const member of isPlain ? Object.keys(level) : membersOf(level, known)) {
      if (member in given) continue
      const value = Reflect.get(level, member, options) as unknown
      if (isKnown(member, value, known, name)) given[member] = value
    }
    level = Object.getPrototypeOf(level)
  } while (!isPlainPrototype(level))
  return given as T
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !isRevokedProxy(value)
}

/** Whether it is a list or bytes, or of a class, built-in or not, with no member that is known. */
function isSomethingElse(value: object, known: readonly string[]): boolean {
  if (isList(value) || ArrayBuffer.isView(value)) return true
  const gives = (level: object) => known.some((member) => Object.hasOwn(level, member))
  if (gives(value)) return false
  let isInstance = false
  for (
    let level = Object.getPrototypeOf(value);
    !isPlainPrototype(level);
    level = Object.getPrototypeOf(level)
  ) {
    if (gives(level)) return false
    isInstance ||= Object.hasOwn(level, "constructor")
  }
  return isInstance
}

/** The enumerable ones, and accessors of a class that have the name of an option. */
function membersOf(level: object, known: readonly string[]): Iterable<string> {
  return new Set([...Object.keys(level), ...known.filter((member) => Object.hasOwn(level, member))])
}

function isKnown(member: string, value: unknown, known: readonly string[], name: string): boolean {
  if (known.includes(member)) return true
  if (!NOT_YET.includes(member)) throw unknownMember(name, member, known)
  if (value === undefined) return false
  throw new KvError("UNSUPPORTED", `${name}.${member}: this version does not support it`)
}

/**
 * For calls that are passed on as callbacks, with whatever arguments an event has: only what looks like
 * options is refused.
 */
export function refuseOptions(extra: readonly unknown[]): void {
  refuseExtra(extra.filter(isPlain))
}

/** Whether something may be meant as options: a callback gets events, signals and errors. */
export function isPlain(value: unknown): boolean {
  return isObject(value) && isPlainPrototype(Object.getPrototypeOf(value))
}

/** Refuses arguments that a call does not take, like unknown options. `extra`: what follows its arguments. */
export function refuseExtra(extra: readonly unknown[]): void {
  for (const one of extra)
    if (one !== undefined) throw invalidArgument(`options: this call takes none here, got ${describe(one)}`)
}

function unknownMember(name: string, member: string, known: readonly string[]): KvError {
  const choice = known.length === 0 ? "it takes none" : `it takes ${known.join(", ")}`
  return invalidArgument(`${name}.${short(member)}: there is no such option; ${choice}`)
}

/** The location and the options of an opening. */
export function settingsOf(url: unknown, options: KvOptions | undefined): KvSettings {
  return Object.assign(Object.create(null), takeOptions<KvOptions>(options, OPTIONS), placeOf(url))
}

function placeOf(url: unknown): Place {
  if (url === undefined) return placeOfEnvironment()
  if (typeof url === "string") return { url, urlName: "url" }
  if (url instanceof URL) return { url: url.href, urlName: "url" }
  throw invalidArgument(`url: must be a string or a URL, got ${describe(url)}`)
}

/** Read only if no location is given: Deno asks its user before it shows a variable. */
function placeOfEnvironment(): Place {
  for (const name of ["KEYVAL_URL", "LIBSQL_URL"]) {
    const url = process.env[name]
    if (url) return { url, urlName: `process.env.${name}` }
  }
  return { url: "file:keyval.db", urlName: "url" }
}

/** The names of a time to live, for calls that take more than it. */
export const EXPIRE: readonly (keyof KvExpireOptions)[] = ["expiresIn", "expireIn"]

/** Parses a time to live under another name than `expiresIn` (`Core`, `transport.ts`). */
export interface TimesToLive {
  timeToLiveMs(duration: unknown, name: string): number
}

/** The time to live of options that hold nothing else. */
export function expiresIn(options: KvExpireOptions | undefined, core: TimesToLive): unknown {
  return options === undefined ? undefined : timeToLive(takeOptions<KvExpireOptions>(options, EXPIRE), core)
}

/** The time to live, of either spelling, in options that were taken; `place`: of the options, with a dot. */
export function timeToLive({ expiresIn, expireIn }: KvExpireOptions, core: TimesToLive, place = ""): unknown {
  if (expireIn === undefined) return expiresIn
  if (expiresIn !== undefined)
    throw invalidArgument(`${place}expiresIn: expireIn is given too; give one of them`)
  return core.timeToLiveMs(expireIn, `${place}expireIn`)
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

export function consistencyOf(value: unknown): KvConsistency {
  if (value === undefined) return "strong"
  if (value === "strong" || value === "eventual") return value
  throw invalidArgument(`consistency: must be "strong" or "eventual", got ${describe(value)}`)
}
