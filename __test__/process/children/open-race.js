// open-race.js <folder> <count> <start in ms since the epoch> <step in ms>: opens new files at agreed moments.
import { join } from "node:path"
import { Kv } from "@buntime/keyval"
import { printJson } from "./lines.js"

const [folder, count, startAt, step] = process.argv.slice(2)
const errors = []

for (let at = 0; at < Number(count); at++) {
  const moment = Number(startAt) + at * Number(step)
  while (Date.now() < moment);
  try {
    const kv = new Kv(join(folder, `${at}.db`))
    await kv.atomic().sum(["opened"], 1n).commit()
    await kv.close()
  } catch (error) {
    errors.push(`${at}: ${error.code} ${error.message}`)
  }
}
printJson(errors)
