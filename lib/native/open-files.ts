/**
 * Refuses a second copy of the addon on a file that is open in this process: POSIX drops every lock that a process
 * holds on a file when any of its copies of SQLite closes it. One copy shares its store and is safe.
 */

import { KvError } from "../shared/errors.js"
import { fromNative, native } from "./addon.js"

interface Opened {
  copy: string
  openers: number
}

const REGISTRY = Symbol.for("@buntime/keyval.files")

function registry(): Map<string, Opened> {
  const holder = globalThis as { [REGISTRY]?: Map<string, Opened> }
  holder[REGISTRY] ??= new Map()
  return holder[REGISTRY]
}

function fileId(url: string): string | null {
  try {
    return native.fileId(url)
  } catch (error) {
    throw fromNative(error)
  }
}

/** Before a file is opened. */
export function refuseOtherCopy(url: string): void {
  const id = fileId(url)
  const opened = id === null ? undefined : registry().get(id)
  if (opened !== undefined && opened.copy !== native.copyId())
    throw new KvError(
      "UNSUPPORTED",
      `url: ${url} is open through another copy of @buntime/keyval in this process; make sure that one copy is installed (npm ls @buntime/keyval)`,
    )
}

/** After it was opened; gives what to call after it was closed. */
export function register(url: string): () => void {
  const id = fileId(url)
  if (id === null) return () => {}
  const opened = registry().get(id) ?? { copy: native.copyId(), openers: 0 }
  opened.openers++
  registry().set(id, opened)
  return () => {
    opened.openers--
    if (opened.openers === 0) registry().delete(id)
  }
}
