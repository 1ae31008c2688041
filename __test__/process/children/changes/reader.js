// reader.js <file> <place>: writes each change as a line `<seq> <change>` at the end of a file of its own,
// and goes on after the last whole line of it, until its stdin ends.
import { existsSync, readFileSync, truncateSync } from "node:fs"
import { Kv } from "@buntime/keyval"
import { hear, journal, print } from "../lines.js"

const [file, place] = process.argv.slice(2)
const text = existsSync(place) ? readFileSync(place, "utf8") : ""
const whole = text.slice(0, text.lastIndexOf("\n") + 1)
if (whole.length < text.length) truncateSync(place, Buffer.byteLength(whole))
const last = Number(whole.trimEnd().split("\n").at(-1).split(" ")[0])
const note = journal(place)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })

async function read() {
  for await (const { seq, key, type, versionstamp } of kv.changes({ live: true, from: last + 1 }))
    note(seq, JSON.stringify({ key, type, versionstamp }))
}

const done = read()
print(`reading from ${last + 1}`)

hear({
  async end() {
    await kv.close()
    await done
  },
})
