// backup-taker.js <file> <target> <times>: backs up to the same place again and again; prints each result, or how it was refused.
import { Kv } from "@buntime/keyval"
import { print, printJson } from "./lines.js"

const [file, target, times] = process.argv.slice(2)
const kv = new Kv(file, { sweepInterval: 0 })
let said = false

function onProgress() {
  if (!said) print("ready")
  said = true
}

for (let n = 0; n < Number(times); n++) {
  try {
    printJson(await kv.backup(target, { overwrite: true, onProgress }))
  } catch ({ code, message }) {
    printJson({ code, message })
  }
}
await kv.close()
