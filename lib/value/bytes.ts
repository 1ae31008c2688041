import { types } from "node:util"
import type { View } from "../shared/kinds.js"

const keysOf = Uint8Array.prototype.keys

/** The bytes that a view shows, not copied; undefined if its buffer was detached. */
export function bytesOf(view: View): Buffer | undefined {
  try {
    // `Buffer.from` alone would take a detached buffer for an empty one.
    if (types.isTypedArray(view)) keysOf.call(view) // Throws if the buffer has shrunk below it.
    const bytes = ArrayBuffer.isView(view)
      ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
      : new Uint8Array(view)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  } catch {
    return undefined
  }
}

/** The same bytes in a plain `Uint8Array` with a buffer of its own; undefined if theirs was detached. */
export function copyOf(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return new Uint8Array(bytes)
  } catch {
    return undefined
  }
}

/** Bytes in a buffer of their own; undefined unless the text is exactly what encoding them gives. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0) return undefined
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  const view = Buffer.from(bytes.buffer)
  // Buffer skips what is not base64, so only the way back tells.
  return view.write(text, "base64") === bytes.length && view.toString("base64") === text ? bytes : undefined
}
