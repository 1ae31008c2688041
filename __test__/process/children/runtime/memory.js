// memory.js <file or :memory:> <warm-up> <operations> <allowed bytes> <rounds>: prints how the process has
// grown, in bytes; measures again, at most so many times, if that is more than allowed.
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

const [url, warmUp, operations, allowed, rounds] = process.argv.slice(2)
const kv = new Kv(url, { durability: "off", changeLog: "off", sweepInterval: 0 })
const KEYS = 5000
const TOGETHER = 64

function collectGarbage() {
  for (let at = 0; at < 3; at++) (globalThis.gc ?? globalThis.Bun?.gc)?.(true)
}

function pad(n) {
  return "x".repeat(50 + (n % 150))
}

/** One operation of each kind in turn; refused ones too, since errors may leak as well. */
function operate(n) {
  const key = ["n", (n * 7919) % KEYS]
  switch (n % 16) {
    case 0:
    case 1:
    case 2:
      return kv.set(key, { n, pad: pad(n) })
    case 3:
      return kv
        .atomic()
        .sum(["sum", n % 10], 1n)
        .commit()
    case 4:
      return kv.delete(key, { exact: true })
    case 5:
      return kv.set(["t", n % 100], [n, 1n, new Date(n)], { expiresIn: 1 })
    case 6:
      return kv.getMany([key, ["t", n % 100], ["none", n]])
    case 7:
      return kv.list(["n"], { limit: 5 }).next()
    case 8:
      return kv.set(["bad"], () => n).catch(() => null)
    case 9:
      return kv.atomic().check({ key, versionstamp: null }).set(key, n).commit()
    case 10:
      return kv.transaction(async (tx) => (await tx.get(key)).value)
    default:
      return kv.get(key)
  }
}

async function work(count) {
  for (let from = 0; from < count; from += TOGETHER) {
    await Promise.all(Array.from({ length: TOGETHER }, (_, at) => operate(from + at)))
  }
  collectGarbage()
  await new Promise((resolve) => setTimeout(resolve, 50))
  collectGarbage()
  return process.memoryUsage().rss
}

await kv.setMany(
  Array.from({ length: KEYS }, (_, at) => ({ key: ["n", at], value: { n: at, pad: pad(at) } })),
)
let before
let after = await work(Number(warmUp))
let round = 0
do {
  before = after
  after = await work(Number(operations))
  round++
} while (after - before >= Number(allowed) && round < Number(rounds))
await kv.close()
printJson({ before, after, grown: after - before })
