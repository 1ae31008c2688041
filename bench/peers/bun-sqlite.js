import { byHand, settings } from "../calls/by-hand.js"

export const title = "bun:sqlite by hand"
export const runtimes = ["bun"]
export { settings }

export async function open(path) {
  const { Database } = await import("bun:sqlite")
  return { version: Bun.version, ...byHand(new Database(path, { create: true }), Bun.randomUUIDv7) }
}
