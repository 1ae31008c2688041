/** JSON merge patches (RFC 7396) of values in memory, as `src/engine/commit/patch.rs` merges stored ones. */

import { KvError } from "../../shared/errors.js"
import { isPlainPrototype } from "../../shared/kinds.js"
import { holdsCycle } from "../../value/index.js"

type Members = Record<string, unknown>

function isPlain(value: unknown): value is Members {
  return typeof value === "object" && value !== null && isPlainPrototype(Object.getPrototypeOf(value))
}

/**
 * The result of merging a patch into a value; neither is changed.
 *
 * @throws {KvError} `TYPE_MISMATCH` for an object with a cycle.
 */
export function mergePatch(value: unknown, patch: unknown): unknown {
  if (isPlain(patch) && isPlain(value) && holdsCycle(value))
    throw new KvError(
      "TYPE_MISMATCH",
      "the stored value holds a cycle, which no patch can be merged into; read it, change it and set it in a transaction",
    )
  return merge(value, patch)
}

function merge(value: unknown, patch: unknown): unknown {
  if (!isPlain(patch)) return patch
  const merged = new Map(isPlain(value) ? Object.entries(value) : [])
  for (const [name, change] of Object.entries(patch)) {
    if (change === undefined) continue
    if (change === null) merged.delete(name)
    else merged.set(name, merge(merged.get(name), change))
  }
  return Object.fromEntries(merged)
}
