// open-default.js: opens what `new Kv()` opens in this folder and environment, and writes one entry.
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

try {
  const kv = new Kv()
  await kv.set(["a"], 1)
  await kv.close()
  printJson("ok")
} catch (error) {
  printJson(`${error.code} ${error.stack}`)
}
