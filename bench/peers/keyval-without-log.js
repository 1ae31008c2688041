import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { keyval } from "../calls/keyval.js"

export const title = "KeyVal without its change log"
export const runtimes = ["node"]
export const settings = 'changeLog "off"; for what the log costs'
export const only = ["set, one at a time", "set, 64 at once"]

/** `root`: the checkout that KeyVal is taken from. */
export async function open(path, root = join(import.meta.dirname, "../..")) {
  const { Kv, version } = await import(pathToFileURL(join(root, "dist/index.js")))
  const open = (file) => new Kv(`file:${file}`, { changeLog: "off" })
  const { watch, ...calls } = keyval(open(path), open) // without a log there is nothing to watch
  return { version, ...calls }
}
