import { denoKv, settings } from "../calls/deno-kv.js"

export const title = "Deno.openKv"
export const runtimes = ["deno"]
export { settings }

export async function open(path) {
  return { version: Deno.version.deno, ...denoKv(await Deno.openKv(path), Deno.openKv) }
}
