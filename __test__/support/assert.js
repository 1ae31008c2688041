import assert from "node:assert/strict"
import { KvError, KvU64 } from "@buntime/keyval"
import { within } from "./waiting.js"

export const STAMP = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

async function readToTheEnd(iterator) {
  for await (const _ of iterator);
}

/** The error that a call throws or rejects with; a returned iterator is read to its end. */
async function errorOf(call) {
  try {
    const given = await call()
    if (given?.[Symbol.asyncIterator]) await within(readToTheEnd(given), "the end of an iterator")
  } catch (error) {
    return error
  }
  return null
}

/**
 * The call is refused with a `KvError` of this code (or one of these), whose message matches every pattern.
 */
export async function refused(call, codes, ...said) {
  const error = await errorOf(call)
  const allowed = [codes].flat()
  assert.ok(error, `expected ${allowed.join(" or ")}, but the call went through`)
  assert.ok(error instanceof KvError, `expected a KvError, got ${error.stack ?? String(error)}`)
  assert.ok(error instanceof Error)
  assert.equal(error.name, "KvError")
  assert.ok(
    allowed.includes(error.code),
    `expected ${allowed.join(" or ")}, got ${error.code}: ${error.message}`,
  )
  assert.equal(typeof error.retryable, "boolean")
  if (error.code !== "BUSY" && error.code !== "UNAVAILABLE") assert.equal(error.retryable, false)
  for (const pattern of said) assert.match(error.message, pattern)
  return error
}

export async function collect(iterator) {
  const entries = []
  for await (const entry of iterator) entries.push(entry)
  return entries
}

export async function keysOf(kv, selector, options) {
  return (await collect(kv.list(selector, options))).map((entry) => entry.key)
}

export async function valuesOf(kv, selector, options) {
  return (await collect(kv.list(selector, options))).map((entry) => entry.value)
}

/** The whole store: keys, values, versionstamps, times to live. */
export function snapshot(kv) {
  return collect(kv.list({ prefix: [] }))
}

/** Makes a `KvU64` comparable by `deepEqual`, whatever it keeps inside. */
export function plain(value) {
  if (value instanceof KvU64) return { u64: value.value }
  return Array.isArray(value) ? value.map(plain) : value
}

export function absent(key) {
  return { key, value: null, versionstamp: null }
}
