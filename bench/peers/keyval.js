import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { keyval } from "../calls/keyval.js"

export const title = "KeyVal"
export const runtimes = ["node", "bun"]
export const settings =
  'durability "full" (the default): a sync a commit (fdatasync on Linux), shared by all that commit together; it handles up to 64 messages at a time'

/** `root`: the checkout that KeyVal is taken from. */
export async function open(path, root = join(import.meta.dirname, "../..")) {
  const { Kv, version } = await import(pathToFileURL(join(root, "dist/index.js")))
  const open = (file) => new Kv(`file:${file}`)
  return { version, ...keyval(open(path), open) }
}
