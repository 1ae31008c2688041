/** Stored values that cannot be read, in answers whose other values can. */

import type { KvKey } from "../../index.js"
import { at, corrupt, type KvError, preview } from "../shared/errors.js"

/** An entry or a message that was read; only a message has no key. */
export interface Readable {
  key?: KvKey
  value?: unknown
}

/** In the place of a value that cannot be read, so that the entries beside it can. */
export class Unread {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

/** Why the value of an entry could not be read, with its key; nothing if it was. */
export function unreadOf({ key, value }: Readable): unknown {
  if (!(value instanceof Unread)) return undefined
  return at(`key ${preview(key)}`, value.error)
}

export function damaged(): KvError {
  return corrupt("a stored value is not valid JSON; the file is damaged, restore it from a backup")
}
