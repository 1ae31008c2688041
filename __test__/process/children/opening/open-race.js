// open-race.js <folder>: prints `ready`; given a number and a time in ms since the epoch, it opens the new
// file of that number then, writes and closes, and prints `done`, or the error.
import { join } from "node:path"
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [folder] = process.argv.slice(2)

async function open(number, startAt) {
  while (Date.now() < startAt);
  try {
    const kv = new Kv(join(folder, `${number}.db`), { busyTimeout: "1m" })
    await kv.atomic().sum(["opened"], 1n).commit()
    await kv.close()
    return "done"
  } catch (error) {
    return `error: ${error.code} ${error.message}`
  }
}

hear({
  async line(text) {
    const [number, startAt] = text.split(" ")
    print(await open(number, Number(startAt)))
  },
  end() {},
})
print("ready")
