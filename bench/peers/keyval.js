import { keyval } from "../keyval.js"

export const title = "KeyVal"
export const runtimes = ["node", "bun"]
export const settings =
  'durability "full" (the default): a sync a commit (fdatasync on Linux), shared by all that commit together; it handles up to 64 messages at a time'

export async function open(path) {
  const { Kv, version } = await import("../../dist/index.js")
  const open = (file) => new Kv(`file:${file}`)
  return { version, ...keyval(open(path), open) }
}
