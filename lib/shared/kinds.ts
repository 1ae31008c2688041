/**
 * What an object is, judged by its internal slots and its prototype. Objects of another realm (`node:vm`, a
 * test runner's sandbox) have built-in prototypes of their own, which are known by their constructor's source
 * text.
 */

import { types } from "node:util"

const functionSource = Function.prototype.toString
const objectSource = functionSource.call(Object)
const viewName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get

/** Whether a function is the built-in class of this name, of any realm. */
export function isNative(candidate: unknown, name: string): boolean {
  if (typeof candidate !== "function") return false
  if (candidate === (globalThis as Record<string, unknown>)[name]) return true
  return functionSource.call(candidate) === objectSource.replace("Object", name)
}

export function constructorOf(proto: object): unknown {
  return Object.getOwnPropertyDescriptor(proto, "constructor")?.value
}

const foreignPlain = new WeakSet<object>()

/** Whether a prototype is `Object.prototype` (of any realm) or none. */
export function isPlainPrototype(proto: object | null): boolean {
  if (proto === Object.prototype || proto === null || foreignPlain.has(proto)) return true
  if (Object.getPrototypeOf(proto) !== null || !isNative(constructorOf(proto), "Object")) return false
  foreignPlain.add(proto)
  return true
}

/** Whether a prototype is `Array.prototype` of any realm. */
export function isArrayPrototype(proto: object | null): boolean {
  return proto === Array.prototype || (proto !== null && isNative(constructorOf(proto), "Array"))
}

/**
 * Whether an object's class is the built-in one, not one that extends it. An own `constructor` counts: fake
 * timers give it to their dates, which extend `Date`.
 */
function isOwnClass(value: object, name: string): boolean {
  return isNative((value as { constructor?: unknown }).constructor, name)
}

export type View = ArrayBufferView | ArrayBuffer

/** The name of a typed array's, a `DataView`'s or an `ArrayBuffer`'s class; undefined for all else. */
export function viewKind(value: object): string | undefined {
  const name = internalViewName(value)
  if (name === undefined) return undefined
  if (name === "Uint8Array" && (value as { constructor?: unknown }).constructor === Buffer) return name
  return isOwnClass(value, name) ? name : undefined
}

function internalViewName(value: object): string | undefined {
  const typedArray = viewName?.call(value)
  if (typedArray !== undefined) return typedArray
  if (types.isArrayBuffer(value)) return "ArrayBuffer"
  return types.isDataView(value) ? "DataView" : undefined
}

export type Kind = "Date" | "Map" | "Set" | "RegExp" | "String" | "Number" | "Boolean" | "BigInt"

/** Which of the built-in classes an object is of. */
export function kindOf(value: object): Kind | undefined {
  const kind = internalKind(value)
  return kind !== undefined && isOwnClass(value, kind) ? kind : undefined
}

function internalKind(value: object): Kind | undefined {
  if (types.isDate(value)) return "Date"
  if (types.isMap(value)) return "Map"
  if (types.isSet(value)) return "Set"
  if (types.isRegExp(value)) return "RegExp"
  return types.isBoxedPrimitive(value) ? boxedKind(value) : undefined
}

/** The class of an object that holds a primitive; undefined for that of a symbol. */
function boxedKind(value: object): Kind | undefined {
  if (types.isStringObject(value)) return "String"
  if (types.isNumberObject(value)) return "Number"
  if (types.isBooleanObject(value)) return "Boolean"
  return types.isBigIntObject(value) ? "BigInt" : undefined
}

export function isError(value: object): value is Error {
  return types.isNativeError(value) || value instanceof Error
}

/** Whatever is done with a revoked proxy throws, also asking for its prototype. */
export function isRevokedProxy(value: object): boolean {
  try {
    Array.isArray(value)
    return false
  } catch {
    return true
  }
}

/**
 * Whether it is an array or a proxy of one, such as reactive state and drafts are; Node-API takes the latter
 * for no array.
 */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false // A revoked proxy.
  }
}

/** The built-in classes whose instances are stored: a proxy of one hides what makes it one. */
const STORED =
  /^(?:Date|Map|Set|RegExp|ArrayBuffer|DataView|(?:Int|Uint|Float|BigInt|BigUint)\d+(?:Clamped)?Array)$/

/** The words for a refused object in a message. */
export function classWords(value: object): string {
  const proto = Object.getPrototypeOf(value)
  const named = proto === null ? undefined : constructorOf(proto)
  const name = typeof named === "function" ? named.name : undefined
  if (typeof name !== "string" || name === "") return "objects with a prototype of their own"
  if (types.isProxy(value) && STORED.test(name)) return `proxies of a ${name} (give the ${name} itself)`
  return types.isPromise(value) ? "Promises (await them first)" : `instances of ${name.slice(0, 60)}`
}
