// open-read.js <file>...: opens each, reads all of it, and prints what came of it: "ok", or the error's code.
import { Kv, KvError } from "@buntime/keyval"
import { printJson } from "../lines.js"

async function readAll(file) {
  let kv
  try {
    kv = new Kv(file, { busyTimeout: "1s" })
    let entries = 0
    for await (const _ of kv.list({ prefix: [] })) entries++
    await kv.count({ prefix: [] })
    await kv.set(["written"], 1)
    return { outcome: "ok", entries }
  } catch (error) {
    const outcome = error instanceof KvError ? error.code : `not a KvError: ${error?.stack}`
    return { outcome, message: error.message }
  } finally {
    await kv?.close()
  }
}

const results = []
for (const file of process.argv.slice(2)) results.push(await readAll(file))
printJson(results)
