/**
 * Keys as JSON: a part that JSON has no form for is `{ b }` (bytes, as base64), `{ i }` (a bigint) or `{ n }`
 * (a number that is not finite). The same as `src/codec/key_json.rs`.
 */

import { types } from "node:util"
import type { KvKey, KvKeyPart } from "../../index.js"
import { damaged } from "../value/unreadable.js"

/** A key from its JSON form. */
export function reviveKey(parts: readonly unknown[]): KvKey {
  return parts.map((part) =>
    typeof part === "object" && !types.isUint8Array(part)
      ? revivePart(part as TaggedPart | null)
      : (part as KvKeyPart),
  )
}

type TaggedPart = { b?: string; i?: string; n?: string }

function revivePart(part: TaggedPart | null): KvKeyPart {
  const { b, i, n } = part ?? {}
  if (typeof b === "string") return new Uint8Array(Buffer.from(b, "base64"))
  if (typeof i === "string" && /^-?\d+$/.test(i)) return BigInt(i)
  if (typeof n === "string") return Number(n)
  throw damaged()
}
