// backup-taker.js <file> <target> <times> [commit]: backs up to the same place again and again; prints each
// result, or how it was refused. With `commit` it writes before each, and prints the versionstamp of that as
// `own`.
import { Kv } from "@buntime/keyval"
import { print, printJson } from "../lines.js"

const [file, target, times, commit] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
let said = false

function onProgress() {
  if (!said) print("ready")
  said = true
}

for (let n = 0; n < Number(times); n++) {
  try {
    const own = commit ? (await kv.set(["taken"], n)).versionstamp : undefined
    printJson({ own, ...(await kv.backup(target, { overwrite: true, onProgress })) })
  } catch ({ code, message }) {
    printJson({ code, message })
  }
}
await kv.close()
