// start.js import | open <file> | fill <file> <MB>: prints the ms of a cold import, or of opening a file with
// its first get; or fills a file.
import { randomBytes } from "node:crypto"

const [, , what, file, megabytes] = process.argv
const began = performance.now()
const { Kv } = await import("../../dist/index.js")
const importMs = performance.now() - began

const work = {
  import: () => ({ ms: importMs }),

  async open() {
    const start = performance.now()
    const kv = new Kv(`file:${file}`)
    const openMs = performance.now() - start
    await kv.get(["n", 1])
    const ms = performance.now() - start
    await kv.close()
    return { ms, openMs }
  },

  async fill() {
    const kv = new Kv(`file:${file}`)
    function* values() {
      for (let id = 0; id < Number(megabytes) * 100; id++)
        yield { key: ["n", id], value: randomBytes(10_000) }
    }
    await kv.setMany(values())
    await kv.close()
    return {}
  },
}

process.stdout.write(`${JSON.stringify(await work[what]())}\n`)
