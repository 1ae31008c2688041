/**
 * Mutations of a commit, handed to Rust one by one: no array of them has to be made here and walked there.
 */

import type { Mutation } from "../transport.js"
import { ARITHMETIC_MAX, ARITHMETIC_MIN, ARITHMETIC_SUM } from "../wire/codes.js"
import { fromNative, type NativeHandle } from "./addon.js"

const ARITHMETIC = { sum: ARITHMETIC_SUM, max: ARITHMETIC_MAX, min: ARITHMETIC_MIN }

/** Adds mutations to the commit that is built. Errors say which one of the list it was. */
export function addMutations(
  handle: NativeHandle,
  mutations: readonly Mutation[],
  argument: string,
  first: number,
): void {
  let at = 0
  try {
    for (; at < mutations.length; at++) addMutation(handle, mutations[at] as Mutation)
  } catch (error) {
    throw fromNative(error, `${argument}[${first + at}]`)
  }
}

export function addMutation(handle: NativeHandle, mutation: Mutation): void {
  switch (mutation.type) {
    case "set": {
      const { key, stamped, value, expiresIn } = mutation
      handle.put(key, stamped, value.data, value.encoding, expiresIn)
      break
    }
    case "delete":
      handle.delete(mutation.key)
      break
    case "deleteTree":
      handle.deleteTree(mutation.key, mutation.exact, mutation.where)
      break
    case "deleteRange":
      handle.deleteRange(mutation)
      break
    case "append":
    case "prepend": {
      const { key, value, expiresIn } = mutation
      // An array is never stored as bytes.
      handle.append(mutation.type === "prepend", key, value.data as string, value.encoding, expiresIn)
      break
    }
    case "patch": {
      const { key, value, expiresIn } = mutation
      handle.patch(key, value.data, value.encoding, expiresIn)
      break
    }
    case "enqueue":
      handle.enqueue(mutation.value.data, mutation.value.encoding, mutation)
      break
    default: {
      const { type, key, operand, isU64, expiresIn } = mutation
      handle.arithmetic(ARITHMETIC[type], key, operand, isU64, expiresIn)
    }
  }
}
