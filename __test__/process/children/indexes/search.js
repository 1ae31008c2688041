// search.js <file>: writes and searches under ["t"] as its stdin says, line by line: "set id words", "delete
// id", "find words" (prints `found` and the ids).
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const kv = new Kv(process.argv[2], { sweepInterval: 0 })
await kv.get(["t", "warm"])
print("ready")

const commands = {
  async set(id, ...words) {
    await kv.set(["t", id], { text: words.join(" ") })
    print("done")
  },
  async delete(id) {
    await kv.delete(["t", id])
    print("done")
  },
  async find(...words) {
    const ids = []
    for await (const { key } of kv.search(["t"], words.join(" "))) ids.push(key[1])
    print(`found ${ids.sort().join(" ")}`.trimEnd())
  },
}

hear({
  line(text) {
    const [name, ...words] = text.split(" ")
    commands[name](...words).catch((error) => print(`failed ${error.code}`))
  },
  end: () => kv.close(),
})
