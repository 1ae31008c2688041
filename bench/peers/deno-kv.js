import { readFileSync } from "node:fs"
import { denoKv, settings } from "../calls/deno-kv.js"

export const title = "@deno/kv"
export const runtimes = ["node"]
export { settings }

const PACKAGE = new URL("../node_modules/@deno/kv/package.json", import.meta.url)
/** Without it a watch that is cancelled spins for ever in 0.14 (its unraw_watch_stream.js). */
const WATCH = { raw: true }

export async function open(path) {
  const { openKv } = await import("@deno/kv")
  return {
    version: JSON.parse(readFileSync(PACKAGE, "utf8")).version,
    ...denoKv(await openKv(path), openKv, WATCH),
  }
}
