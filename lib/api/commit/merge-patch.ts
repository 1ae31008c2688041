/** JSON merge patches (RFC 7396) of values in memory, as `src/engine/commit/patch.rs` merges stored ones. */

import { isPlainPrototype } from "../../shared/kinds.js"

type Members = Record<string, unknown>

function isPlain(value: unknown): value is Members {
  return typeof value === "object" && value !== null && isPlainPrototype(Object.getPrototypeOf(value))
}

/** The result of merging a patch into a value; neither is changed. */
export function mergePatch(value: unknown, patch: unknown): unknown {
  if (!isPlain(patch)) return patch
  const merged = new Map(isPlain(value) ? Object.entries(value) : [])
  for (const [name, change] of Object.entries(patch)) {
    if (change === undefined) continue
    if (change === null) merged.delete(name)
    else merged.set(name, mergePatch(merged.get(name), change))
  }
  return Object.fromEntries(merged)
}
