// memory.js <open|load|iterate> <file> <entries>: prints the MB of memory (RSS) that this adds, at most.
import { Kv } from "../../dist/index.js"
import { Random } from "../random.js"

const [, , what, file, entries] = process.argv
const SAMPLE = 1000
const rss = () => process.memoryUsage.rss() / 1e6

function* values() {
  const random = new Random(3)
  for (let id = 0; id < Number(entries); id++) yield { key: ["n", id], value: { id, text: random.hex(160) } }
}

async function opened() {
  globalThis.gc()
  const before = rss()
  const kv = new Kv(`file:${file}`)
  await kv.get(["n", 1])
  await new Promise((resolve) => setTimeout(resolve, 500))
  const added = rss() - before
  return [kv, added]
}

const work = {
  async open() {
    const [kv, added] = await opened()
    await kv.close()
    return { added }
  },

  async load() {
    const [kv] = await opened()
    const before = rss()
    let most = before
    await kv.setMany(values(), { onProgress: () => (most = Math.max(most, rss())) })
    await kv.close()
    return { added: most - before }
  },

  async iterate() {
    const [kv] = await opened()
    const before = rss()
    let most = before
    let seen = 0
    for await (const _ of kv.list(["n"])) if (++seen % SAMPLE === 0) most = Math.max(most, rss())
    await kv.close()
    return { added: most - before, seen }
  },
}

process.stdout.write(`${JSON.stringify(await work[what]())}\n`)
