/**
 * The slow path: writes the text of any value that can be stored. It writes text, not a tree for
 * `JSON.stringify`, so that no `toJSON` on a polluted prototype is ever called and a member named `__proto__`
 * is only a name.
 */

import { invalidArgument, type KvError, limitExceeded } from "../shared/errors.js"
import {
  classWords,
  isArrayPrototype,
  isError,
  isPlainPrototype,
  isRevokedProxy,
  type Kind,
  kindOf,
  type View,
  viewKind,
} from "../shared/kinds.js"
import { MAX_NESTING_DEPTH, MAX_VALUE_BYTES } from "../shared/limits.js"
import { Now, UuidPlaceholder, VersionstampPlaceholder } from "../shared/placeholders.js"
import { KvU64 } from "../shared/u64.js"
import { bytesOf } from "./bytes.js"
import { FLOAT16, newerSyntax, refusalOf } from "./newer.js"
import { mapStep, renderPath, renderPathStart, type Step, symbolStep } from "./path.js"
import { errorClass, HIDDEN_FIELDS, TAG } from "./tags.js"
import { Visited } from "./visited.js"

/** The text of a UUID with its quotes. */
export const UUID_TEXT_CHARS = 38

/** Beyond it, decimal digits take long enough that their number is estimated first. */
const LONG_BIGINT = 1n << 65_536n
const LONG_NEGATIVE = -LONG_BIGINT
const DECIMALS_PER_HEX_DIGIT = Math.log10(16)

const HOLE = `{"${TAG}":"hole"}`
/** An array that is longer cannot be written if each of its elements is a hole. */
const MAX_HOLES = Math.floor(MAX_VALUE_BYTES / HOLE.length)

// The built-in methods themselves: an object's own `forEach` or `getTime` is the user's.
const mapForEach = Map.prototype.forEach
const setForEach = Set.prototype.forEach
const getTime = Date.prototype.getTime
const isEnumerable = Object.prototype.propertyIsEnumerable
const primitiveOf: Record<"String" | "Number" | "Boolean" | "BigInt", () => unknown> = {
  String: String.prototype.valueOf,
  Number: Number.prototype.valueOf,
  Boolean: Boolean.prototype.valueOf,
  BigInt: BigInt.prototype.valueOf,
}

export class Writer {
  /** Whether the text holds a tag. */
  tagged = false
  readonly #name: string
  readonly #refused: string
  /** The text before each placeholder; the text after the last one is in `#text`. */
  readonly #parts: string[] = []
  #partsChars = 0
  #text = ""
  /** The objects that are open, and which member of each is being written. */
  readonly #open: object[] = []
  readonly #steps: Step[] = []
  /** What references lead to, by its number; a tree has none. */
  readonly #visited: Visited | undefined

  /** `name` is the argument's, for paths in errors; `refused` what they say of what they refuse. */
  constructor(name: string, asTree: boolean, refused = "cannot be stored") {
    this.#name = name
    this.#refused = refused
    this.#visited = asTree ? undefined : new Visited()
  }

  /** The text, cut where UUIDs are to be put in. */
  get parts(): string[] {
    return [...this.#parts, this.#text]
  }

  write(value: unknown): void {
    if (typeof value === "string") this.#string(value)
    else if (typeof value === "number") this.#number(value)
    else if (typeof value === "boolean") this.#put(value ? "true" : "false")
    else if (typeof value === "bigint") this.#bigint(value)
    else if (typeof value === "undefined") this.#undefined()
    else if (value === null) this.#put("null")
    else if (typeof value === "object") this.#object(value)
    else throw this.refusal(`${typeof value}s`)
  }

  /** `value.items[3].cb: functions cannot be stored` */
  refusal(what: string): KvError {
    return invalidArgument(`${renderPath(this.#name, this.#steps)}: ${what} ${this.#refused}`)
  }

  #put(text: string): void {
    this.#text += text
    this.#limit(this.#partsChars + this.#text.length)
  }

  /** Every code unit is at least one byte. */
  #limit(chars: number): void {
    if (chars > MAX_VALUE_BYTES)
      throw limitExceeded(this.#name, `at least ${chars}`, MAX_VALUE_BYTES, "bytes")
  }

  #tag(type: string, valueText: string): void {
    this.tagged = true
    this.#put(`{"${TAG}":"${type}","value":${valueText}}`)
  }

  #string(value: string): void {
    this.#limit(value.length)
    this.#put(JSON.stringify(value))
  }

  #number(value: number): void {
    if (Object.is(value, -0)) this.#tag("number", '"-0"')
    else if (Number.isFinite(value)) this.#put(String(value))
    else this.#tag("number", `"${value}"`)
  }

  #bigint(value: bigint): void {
    if (value > LONG_BIGINT || value < LONG_NEGATIVE)
      this.#limit(Math.floor((value.toString(16).length - 2) * DECIMALS_PER_HEX_DIGIT))
    this.#tag("bigint", `"${value}"`)
  }

  #undefined(): void {
    this.tagged = true
    this.#put(`{"${TAG}":"undefined"}`)
  }

  #object(value: object): void {
    if (isRevokedProxy(value)) throw this.refusal("revoked proxies")
    const proto = Object.getPrototypeOf(value)
    if (Array.isArray(value)) {
      if (!isArrayPrototype(proto)) throw this.refusal(classWords(value))
      this.#array(value)
    } else if (isPlainPrototype(proto)) this.#plain(value)
    else this.#instance(value)
  }

  #instance(value: object): void {
    const view = viewKind(value)
    const kind = kindOf(value)
    if (value instanceof Now) this.#number(value.valueOf())
    else if (value instanceof KvU64) this.#tag("u64", `"${value.value}"`)
    else if (value instanceof UuidPlaceholder) this.#placeholder()
    else if (value instanceof VersionstampPlaceholder)
      throw this.refusal("commitVersionstamp(), which may only be the last part of a key,")
    else if (view === "Float16Array") throw this.refusal(refusalOf(FLOAT16))
    else if (view !== undefined) this.#view(value as View, view)
    else if (kind !== undefined) this.#builtIn(value, kind)
    else if (isError(value)) this.#error(value)
    else throw this.refusal(classWords(value))
  }

  #builtIn(value: object, kind: Kind): void {
    this.#refuseMembers(value, kind)
    if (kind === "RegExp") this.#regexp(value as RegExp)
    else if (kind === "Map") this.#map(value as Map<unknown, unknown>)
    else if (kind === "Set") this.#set(value as Set<unknown>)
    // An invalid date is null.
    else if (kind === "Date") this.#tag("date", JSON.stringify(getTime.call(value)))
    else this.#boxed(Reflect.apply(primitiveOf[kind], value, []))
  }

  #placeholder(): void {
    this.#parts.push(this.#text)
    this.#partsChars += this.#text.length + UUID_TEXT_CHARS
    this.#text = ""
    this.#limit(this.#partsChars)
  }

  /** Whether it is in the text already, which then has a reference to it in this place. */
  #isWritten(value: object): boolean {
    const number = this.#visited?.meet(value)
    if (number === undefined) return false
    this.tagged = true
    this.#put(`{"${TAG}":"object","ref":${number}}`)
    return true
  }

  #enter(value: object): void {
    const before = this.#visited === undefined ? this.#open.indexOf(value) : -1
    if (before >= 0) {
      const place = renderPath(this.#name, this.#steps.slice(0, before))
      throw this.refusal(`a cycle, which leads back to ${place},`)
    }
    if (this.#open.length === MAX_NESTING_DEPTH) {
      const place = renderPathStart(this.#name, this.#steps)
      throw limitExceeded(`${place}: nesting`, `more than ${MAX_NESTING_DEPTH}`, MAX_NESTING_DEPTH, "levels")
    }
    this.#open.push(value)
    this.#steps.push("")
  }

  #leave(): void {
    this.#open.pop()
    this.#steps.pop()
  }

  #step(step: Step): void {
    this.#steps[this.#steps.length - 1] = step
  }

  #array(array: readonly unknown[]): void {
    if (this.#isWritten(array)) return
    this.#enter(array)
    const { length } = array
    if (length > MAX_HOLES) this.#limit(length + (length - Object.keys(array).length) * HOLE.length)
    this.#put("[")
    for (let at = 0; at < length; at++) {
      if (at > 0) this.#put(",")
      this.#step(at)
      const element = array[at]
      if (element === undefined && !Object.hasOwn(array, at)) this.#hole()
      else this.write(element)
    }
    this.#put("]")
    this.#leave()
  }

  #hole(): void {
    this.tagged = true
    this.#put(HOLE)
  }

  /** Its value is the text of the primitive. */
  #boxed(primitive: unknown): void {
    this.tagged = true
    this.#put(`{"${TAG}":"boxed","value":`)
    this.write(primitive)
    this.#put("}")
  }

  #plain(object: object): void {
    if (this.#isWritten(object)) return
    this.#enter(object)
    this.#refuseSymbols(object)
    const keys = Object.keys(object)
    if (keys.includes(TAG)) {
      this.tagged = true
      this.#put(`{"${TAG}":"object","value":`)
      this.#members(object, keys)
      this.#put("}")
    } else this.#members(object, keys)
    this.#leave()
  }

  #members(object: object, keys: readonly string[]): void {
    let before = "{"
    for (const key of keys) {
      this.#step(key)
      this.#put(`${before}${JSON.stringify(key)}:`)
      this.write((object as Record<string, unknown>)[key])
      before = ","
    }
    this.#put(before === "{" ? "{}" : "}")
  }

  #refuseSymbols(object: object): void {
    for (const symbol of Object.getOwnPropertySymbols(object)) {
      if (!isEnumerable.call(object, symbol)) continue
      this.#step(symbolStep(symbol))
      throw this.refusal("members with a symbol for a key")
    }
  }

  /** Members that someone gave to a date or a map would be lost. */
  #refuseMembers(object: object, kind: Kind): void {
    this.#steps.push("")
    this.#refuseSymbols(object)
    // The code units of a string are members of it, and come first.
    const own = kind === "String" ? (object as { length: number } & object).length : 0
    for (const key of Object.keys(object).slice(own)) {
      this.#step(key)
      throw this.refusal(`members of a ${kind}`)
    }
    this.#steps.pop()
  }

  #map(map: Map<unknown, unknown>): void {
    if (this.#isWritten(map)) return
    this.#enter(map)
    this.tagged = true
    this.#put(`{"${TAG}":"map","value":[`)
    let at = 0
    mapForEach.call(map, (value, key) => {
      this.#put(at > 0 ? ",[" : "[")
      this.#step({ text: `.keys()[${at}]` })
      this.write(key)
      this.#put(",")
      this.#step(mapStep(key, at++))
      this.write(value)
      this.#put("]")
    })
    this.#put("]}")
    this.#leave()
  }

  #set(set: Set<unknown>): void {
    if (this.#isWritten(set)) return
    this.#enter(set)
    this.tagged = true
    this.#put(`{"${TAG}":"set","value":[`)
    let at = 0
    setForEach.call(set, (member) => {
      if (at > 0) this.#put(",")
      this.#step({ text: `.values()[${at++}]` })
      this.write(member)
    })
    this.#put("]}")
    this.#leave()
  }

  #regexp(regexp: RegExp): void {
    const newer = newerSyntax(regexp.source, regexp.flags)
    if (newer !== undefined) throw this.refusal(refusalOf(newer))
    this.tagged = true
    this.#put(`{"${TAG}":"regexp","value":${JSON.stringify(regexp.source)},"flags":"${regexp.flags}"`)
    if (typeof regexp.lastIndex === "number" && !Object.is(regexp.lastIndex, 0)) {
      this.#put(',"lastIndex":')
      this.#number(regexp.lastIndex)
    }
    this.#put("}")
  }

  #view(view: View, kind: string): void {
    const bytes = bytesOf(view)
    if (bytes === undefined) throw this.refusal("views of a detached buffer")
    this.#limit(Math.ceil(bytes.length / 3) * 4)
    const text = `"${bytes.toString("base64")}"`
    if (kind === "Uint8Array") this.#tag("bytes", text)
    else this.#tag("typedarray", `${text},"kind":"${kind}"`)
  }

  /**
   * `members` are the enumerable ones. `name`, `message`, `stack` and what the language hides in some classes
   * are usually not enumerable, and then stand beside them. `class` is there if the name does not tell it.
   */
  #error(error: Error): void {
    if (this.#isWritten(error)) return
    this.#enter(error)
    this.#refuseSymbols(error)
    this.tagged = true
    const className = errorClass(error)
    const name = typeof error.name === "string" ? error.name : className
    this.#put(`{"${TAG}":"error","value":{"name":${JSON.stringify(name)}`)
    if (name !== className) this.#put(`,"class":"${className}"`)
    if (Object.hasOwn(error, "message") || error.message !== "") this.#errorText("message", error.message)
    if (!isEnumerable.call(error, "stack")) this.#errorText("stack", error.stack)
    for (const field of HIDDEN_FIELDS) this.#hidden(error, field)
    const keys = Object.keys(error)
    if (keys.length > 0) {
      this.#put(',"members":')
      this.#members(error, keys)
    }
    this.#put("}}")
    this.#leave()
  }

  #errorText(field: string, text: unknown): void {
    if (typeof text === "string") this.#put(`,"${field}":${JSON.stringify(text)}`)
  }

  #hidden(error: Error, field: string): void {
    if (!Object.hasOwn(error, field) || isEnumerable.call(error, field)) return
    this.#step(field)
    this.#put(`,"${field}":`)
    this.write((error as unknown as Record<string, unknown>)[field])
  }
}
