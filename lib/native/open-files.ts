/**
 * Refuses a second copy of the addon on a file that is open in this process: POSIX drops every lock that a
 * process holds on a file when any of its copies of SQLite closes it. One copy shares its store and is safe.
 */

import { KvError } from "../shared/errors.js"
import type { Place } from "../shared/options.js"
import { callNative, native } from "./addon.js"

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

function fileId(url: string, urlName: string): string | null {
  return callNative((addon) => addon.fileId(url, urlName))
}

/** Before a file is opened. Also refuses an invalid location, by the name of its source. */
export function refuseOtherCopy({ url, urlName }: Place): void {
  const id = fileId(url, urlName)
  const opened = id === null ? undefined : registry().get(id)
  if (opened !== undefined && opened.copy !== native.copyId())
    throw new KvError(
      "UNSUPPORTED",
      `${urlName}: ${url} is open through another copy of @buntime/keyval in this process; make sure that one copy is installed (npm ls @buntime/keyval)`,
    )
}

/** After it was opened. Returns the function to call after closing. */
export function register({ url, urlName }: Place): () => void {
  const id = fileId(url, urlName)
  if (id === null) return () => {}
  const opened = registry().get(id) ?? { copy: native.copyId(), openers: 0 }
  opened.openers++
  registry().set(id, opened)
  const unregister = () => {
    opened.openers--
    if (opened.openers === 0) registry().delete(id)
  }
  return unregister
}
