// stand-in.js <behaviour> <file>: a peer that answers what the benchmark asks, without a store. The behaviour
// is `well`, or what it does instead of answering a command for the nth time, as `hangs:run:2`.
import { writeFileSync } from "node:fs"
import { createInterface } from "node:readline"

const [, , behaviour, file] = process.argv
writeFileSync(file, "")
const [fault, faulty, nth = "1"] = behaviour.split(":")
const answers = {
  open: { version: "1.0.0", runtime: process.versions.node, calls: ["get"] },
  run: { us: 5 },
}
const say = (line) => process.stdout.write(`${line}\n`)
const faults = {
  throws: () => say(JSON.stringify({ error: "SQLITE_BUSY: database is locked\n    at a line of a stack" })),
  exits: () => process.exit(3),
  hangs: () => {},
  stops: () => process.kill(process.pid, "SIGSTOP"),
  garbage: () => say("what a library prints"),
  nothing: () => say("{}"),
}

let asked = 0
const lines = createInterface({ input: process.stdin })
lines.on("line", (line) => {
  const { command } = JSON.parse(line)
  if (command === faulty && ++asked === Number(nth)) faults[fault]()
  else say(JSON.stringify({ answer: answers[command] ?? null }))
})
lines.on("close", () => process.exit())
