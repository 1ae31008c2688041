// descriptors-watch.js <file>: begins to watch when no file descriptor is left, lets another process write,
// and prints what the watch reported.
// descriptors-watch.js <file> write: the other process, which writes for each line of stdin.
import { spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [file, mode] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m" })

if (mode === "write") {
  hear({ line: (value) => kv.set(["theirs"], value), end: () => kv.close() })
  print("ready")
} else await watch()

async function watch() {
  await kv.set(["mine"], 1)
  // What it reads with is open from now on; what looks for commits of other processes is not.
  await Promise.all([kv.get(["theirs"]), kv.paginate({ prefix: [] }), kv.count([]), kv.changes.head()])
  const arguments_ = [fileURLToPath(import.meta.url), file, "write"]
  const writer = spawn(process.execPath, arguments_, { stdio: ["pipe", "pipe", "inherit"] })
  await new Promise((resolve) => writer.stdout.once("data", resolve))
  const taken = exhaust()
  const reported = []
  let heard = () => {}
  const subscription = kv.watch(["theirs"], (entries) => {
    for (const { value } of entries) reported.push(value)
    heard()
  })
  for (const value of ["one", "two"]) {
    writer.stdin.write(`${value}\n`)
    while (!reported.includes(value)) await new Promise((resolve) => (heard = resolve))
  }
  for (const descriptor of taken) closeSync(descriptor)
  subscription.stop()
  writer.stdin.end()
  await kv.close()
  print(JSON.stringify(reported))
}

/** Opens a file until no descriptor is left. */
function exhaust() {
  const taken = []
  for (;;) {
    try {
      taken.push(openSync("/dev/null", "r"))
    } catch (error) {
      if (error.code !== "EMFILE") throw error
      return taken
    }
  }
}
