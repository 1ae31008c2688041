import { randomUUID } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { byHand, settings } from "../calls/by-hand.js"

export const title = "better-sqlite3 by hand"
export const runtimes = ["node"]
export { settings }

const PACKAGE = new URL("../node_modules/better-sqlite3/", import.meta.url)

/** It is compiled by `install.js`; where that failed, it is left out. */
export const available = () => existsSync(new URL("build/Release/better_sqlite3.node", PACKAGE))

export async function open(path) {
  const { default: Database } = await import("better-sqlite3")
  const { version } = JSON.parse(readFileSync(new URL("package.json", PACKAGE), "utf8"))
  return { version, ...byHand(new Database(path), randomUUID) }
}
