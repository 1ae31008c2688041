// fill-disk.js <file>: writes until the disk takes no more, and prints what was acknowledged and how the rest
// was refused.
import { Kv, KvError } from "@buntime/keyval"
import { printJson } from "../lines.js"

const kv = new Kv(process.argv[2], { sweepInterval: 0 })
const acknowledged = []
const refusals = []

async function write(at) {
  try {
    await kv.atomic().set(["a", at], "x".repeat(10_000)).set(["b", at], at).sum(["count"], 1n).commit()
    acknowledged.push(at)
  } catch (error) {
    refusals.push({ at, code: error instanceof KvError ? error.code : error.stack, unknown: error.outcome })
  }
}

for (let at = 0; at < 800; at += 8) {
  await Promise.all(Array.from({ length: 8 }, (_, n) => write(at + n)))
}
const readable = []
for (const at of acknowledged) if ((await kv.get(["a", at])).value !== null) readable.push(at)
await kv.close()
printJson({ acknowledged, readable, refusals })
