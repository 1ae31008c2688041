import { keyval } from "../keyval.js"

export const title = "KeyVal"
export const runtimes = ["node", "bun"]
export const settings =
  'durability "full" (the default): a sync a commit (fdatasync on Linux), shared by all that commit together'

export async function open(path) {
  const { Kv, version } = await import("../../dist/index.js")
  return { version, ...keyval(new Kv(`file:${path}`)) }
}
