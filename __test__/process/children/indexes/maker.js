// maker.js <file>: for each line `make <name>` or `remove <name>` on stdin it makes or removes an index of
// ["p"], several at once if several are named, and prints `done <outcome>…`: `ok`, or the code of the error.
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const kv = new Kv(process.argv[2], { busyTimeout: "1m", sweepInterval: 0 })
const INDEXES = { n: { on: ["n"], unique: true }, city: { on: ["city"] }, search: { fields: ["text"] } }

async function outcomeOf(work) {
  try {
    await work
    return "ok"
  } catch ({ code, message }) {
    return code ?? message
  }
}

async function obey(line) {
  const [verb, ...names] = line.split(" ")
  const work = (name) =>
    verb === "make" ? kv.createIndex(["p"], INDEXES[name]) : kv.removeIndex(["p"], name)
  const outcomes = await Promise.all(names.map((name) => outcomeOf(work(name))))
  print(`done ${outcomes.join(" ")}`)
}

hear({ line: obey, end: () => kv.close() })
print("ready")
