// two-copies.js <file> <copied package>: opens one file through two copies of the addon; prints what came of
// it.
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

const [file, copied] = process.argv.slice(2)
const { Kv: OtherKv } = await import(pathToFileURL(join(copied, "dist", "index.js")).href)

function attempt(Class) {
  try {
    return new Class(file)
  } catch (error) {
    return error.code
  }
}

const first = new Kv(file)
await first.set(["a"], 1)
const refused = attempt(OtherKv)
await first.set(["b"], 1)
await first.close()
const second = attempt(OtherKv)
await second.set(["c"], 1)
const refusedToo = attempt(Kv)
await second.close()
const last = attempt(Kv)
const count = await last.count([])
await last.close()
printJson({ refused, refusedToo, count })
