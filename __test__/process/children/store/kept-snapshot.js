// kept-snapshot.js <file>: reads many times in a turn of the event loop, so that the reads keep a snapshot,
// while another process writes, which is waited for without a turn. Prints what was read after each write.
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { setImmediate as turn } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

const [, , file] = process.argv
const kv = new Kv(file)
await kv.set(["a"], 0)
const seen = []
for (let value = 1; value <= 3; value++) {
  await turn()
  for (let at = 0; at < 50; at++) await kv.get(["a"])
  const { status, stderr } = spawnSync(process.execPath, [
    join(import.meta.dirname, "write-one.js"),
    file,
    value,
  ])
  if (status !== 0) throw new Error(String(stderr))
  seen.push((await kv.get(["a"])).value)
}
await kv.close()
printJson(seen)
