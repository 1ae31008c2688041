import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { byHand, settings } from "../calls/by-hand.js"

export const title = "libsql by hand"
export const runtimes = ["node"]
export { settings }

const PACKAGE = new URL("../node_modules/libsql/package.json", import.meta.url)

export async function open(path) {
  const { default: Database } = await import("libsql")
  const { version } = JSON.parse(readFileSync(PACKAGE, "utf8"))
  return { version, ...byHand(positional(new Database(path)), randomUUID) }
}

/** libsql takes a single buffer for an object of named parameters, but a list of them as it is meant. */
function positional(db) {
  return {
    exec: (text) => db.exec(text),
    prepare(text) {
      const statement = db.prepare(text)
      return {
        get: (...parameters) => statement.get(parameters),
        all: (...parameters) => statement.all(parameters),
        run: (...parameters) => statement.run(parameters),
      }
    },
    transaction: (work) => db.transaction(work),
    close: () => db.close(),
  }
}
