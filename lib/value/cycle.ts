/** Whether a value holds itself, somewhere: by the objects that a reference can lead to (`decode.ts`). */

import { types } from "node:util"
import { isError } from "../shared/kinds.js"
import { HIDDEN_FIELDS } from "./tags.js"

/** Read from the store, so that it is nested no deeper than its text. */
export function holdsCycle(value: unknown, open = new Set<object>(), passed = new Set<object>()): boolean {
  if (typeof value !== "object" || value === null || passed.has(value)) return false
  if (open.has(value)) return true
  open.add(value)
  for (const inner of contents(value)) if (holdsCycle(inner, open, passed)) return true
  open.delete(value)
  passed.add(value)
  return false
}

function contents(value: object): Iterable<unknown> {
  if (types.isMap(value)) return [...value].flat()
  if (types.isSet(value)) return value
  if (ArrayBuffer.isView(value)) return []
  const members = Object.values(value)
  const fields = value as Record<string, unknown>
  return isError(value) ? [...HIDDEN_FIELDS.map((field) => fields[field]), ...members] : members
}
