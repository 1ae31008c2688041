// exits.js <scenario> <file>: ends in one way or another; what it prints last is JSON.
import { readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs"
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

const [scenario, file] = process.argv.slice(2)
const open = (options) => new Kv(file, options)

/** Files below a path that this process holds open; null where that cannot be determined. */
function held(path) {
  if (process.platform !== "linux") return null
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ""
    }
  })
  return links.filter((link) => link.startsWith(path))
}

function issue(kv, count) {
  for (let at = 0; at < count; at++) void kv.set(["pending", at], at)
}

const scenarios = {
  async idle() {
    const kv = open()
    await kv.set(["a"], 1)
    await kv.get(["a"])
  },

  neverUsed() {
    open()
  },

  inMemory() {
    issue(new Kv(":memory:"), 10)
  },

  async "idle with a fast sweep"() {
    const kv = open({ sweepInterval: "10ms" })
    await kv.set(["a"], 1, { expiresIn: 1 })
  },

  async "an iterator half read"() {
    const kv = open()
    await kv.setMany(Array.from({ length: 3000 }, (_, at) => ({ key: ["n", at], value: at })))
    await kv.list(["n"], { batchSize: 10 }).next()
  },

  "pending calls"() {
    const kv = open()
    issue(kv, 500)
    void kv.setMany(Array.from({ length: 2500 }, (_, at) => ({ key: ["many", at], value: at })))
    void kv.atomic().sum(["sum"], 5n).commit()
  },

  "pending calls and a close that is not awaited"() {
    const kv = open()
    issue(kv, 500)
    void kv.close()
  },

  "process.exit with pending calls"() {
    const kv = open()
    issue(kv, 2000)
    for (let at = 0; at < 500; at++) void kv.get(["pending", at])
    void kv.count(["pending"])
    void kv.list(["pending"]).next()
    process.exit(0)
  },

  async "process.exit while calls are answered"() {
    const kv = open()
    for (let at = 0; at < 50; at++) await kv.set(["a", at], at)
    issue(kv, 2000)
    void kv.count(["a"])
    setTimeout(() => process.exit(0), 5)
    for (;;) await kv.getMany(Array.from({ length: 1000 }, (_, at) => ["a", at]))
  },

  async "process.exit in a callback of ours"() {
    const kv = open()
    issue(kv, 200)
    await kv.set(["a"], 1)
    process.exit(0)
  },

  "process.exit while it closes"() {
    const kv = open()
    issue(kv, 500)
    void kv.close().then(() => process.exit(0))
    setTimeout(() => process.exit(0), 1)
  },

  "an error that nobody catches"() {
    issue(open(), 500)
    throw new Error("on purpose")
  },

  async "a rejection that nobody catches"() {
    const kv = open()
    issue(kv, 100)
    await kv.set(["a"], Symbol("cannot be stored"))
  },

  async "opened and closed twice"() {
    for (let at = 0; at < 2; at++) {
      const kv = open()
      await kv.atomic().sum(["sum"], 1n).commit()
      await kv.close()
      await kv.close()
    }
  },

  async "opened twice at once"() {
    const [a, b] = [open(), open()]
    await Promise.all([a, b].map((kv) => kv.atomic().sum(["sum"], 1n).commit()))
    await a.close()
    await b.atomic().sum(["sum"], 1n).commit()
  },

  async "opened again before the close is done"() {
    const sums = []
    for (let at = 0; at < 20; at++) {
      const kv = open()
      sums.push(kv.atomic().sum(["sum"], 1n).commit())
      void kv.close()
    }
    await Promise.all(sums)
  },

  async "forgotten and collected"() {
    for (let at = 0; at < 50; at++) await open().atomic().sum(["sum"], 1n).commit()
    for (let at = 0; at < 5; at++) {
      ;(globalThis.gc ?? globalThis.Bun?.gc)?.(true)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    printJson(String((await open().get(["sum"])).value))
  },

  async "no handles after close"() {
    const kvs = [open(), open()]
    await Promise.all(kvs.map((kv) => kv.set(["a"], 1)))
    await kvs[0].count([])
    const during = held(file)
    await Promise.all(kvs.map((kv) => kv.close()))
    printJson({ during: during?.length, after: held(file) })
  },

  async "deleted and created again"() {
    const counts = []
    for (let at = 0; at < 3; at++) {
      const kv = open()
      counts.push(await kv.count([]))
      await kv.set(["a", at], at)
      await kv.close()
      for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true })
    }
    printJson(counts)
  },

  async "one file under two names"() {
    const first = open()
    await first.set(["a"], 1)
    symlinkSync(file, `${file}.link`)
    const second = new Kv(`${file}.link`)
    await Promise.all(
      [first, second].flatMap((kv) => [1, 2, 3].map(() => kv.atomic().sum(["sum"], 1n).commit())),
    )
    const seen = [await first.get(["sum"]), await second.get(["sum"])].map(({ value }) => String(value))
    await first.close()
    await second.set(["b"], 1)
    await second.close()
    printJson({ seen, after: held(file) })
  },
}

await scenarios[scenario]()
