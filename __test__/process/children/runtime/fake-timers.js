// fake-timers.js <when>: replaces the host's timers by ones that never fire, after the package is imported or
// before, and calls everything that waits.
import { createRequire, syncBuiltinESMExports } from "node:module"
import { createServer } from "node:net"
import { printJson } from "../lines.js"

const [when] = process.argv.slice(2)

/**
 * As the libraries of fakes do it: on the global object and on the modules, with a member that leads to the
 * clock.
 */
function fake() {
  const require = createRequire(import.meta.url)
  const places = [globalThis, require("node:timers"), require("node:timers/promises")]
  const names = [
    "setTimeout",
    "setInterval",
    "setImmediate",
    "clearTimeout",
    "clearImmediate",
    "queueMicrotask",
  ]
  for (const place of places)
    for (const name of names)
      if (name in place) place[name] = Object.assign(() => ({ unref() {}, ref() {} }), { clock: {} })
  if (when === "after") process.nextTick = () => {}
  performance.now = () => 0
  Math.random = () => 0
  const Frozen = class extends Date {
    constructor(...given) {
      super(...(given.length === 0 ? [0] : given))
    }
    static now() {
      return 0
    }
  }
  globalThis.Date = Frozen
  if (!process.versions.bun) syncBuiltinESMExports()
}

// A test runner keeps its process alive by itself.
createServer().listen(0)
if (when === "before") fake()
const { Kv } = await import("@buntime/keyval")
const kv = new Kv(":memory:")
await kv.setMany(Array.from({ length: 3000 }, (_, n) => ({ key: ["n", n], value: { n, text: "word" } })))
if (when === "after") fake()

const deferred = () => {
  const parts = {}
  parts.promise = new Promise((resolve) => Object.assign(parts, { resolve }))
  return parts
}

const everything = {
  async "a list of 3000"() {
    for await (const _ of kv.list(["n"]));
  },
  async "2000 gets"() {
    for (let n = 0; n < 2000; n++) await kv.get(["n", n])
  },
  async "a filter without an index"() {
    await kv.count(["n"], { where: { n: { $lt: 100 } } })
  },
  async "a search"() {
    await kv.createIndex(["n"], { fields: ["text"] })
    for await (const _ of kv.search(["n"], "word", { limit: 1000 }));
  },
  async "a watch"() {
    for await (const _ of kv.watch({ prefix: ["n"] })) break
  },
  async "the change feed"() {
    for await (const _ of kv.changes());
  },
  async "a message that fails once"() {
    const handled = deferred()
    const listener = kv.listenQueue(
      ({ attempts }) => {
        if (attempts === 1) throw new Error("once")
        handled.resolve()
      },
      { onError() {} },
    )
    await kv.enqueue(1, { backoffSchedule: [1] })
    await handled.promise
    listener.stop()
    await listener.finished
  },
  async "a transaction with a retry"() {
    let first = true
    await kv.transaction(
      async (tx) => {
        await tx.get(["t"])
        if (first) await kv.set(["t"], 1)
        first = false
        tx.set(["t"], 2)
      },
      { maxRetries: 2, retryDelay: 1 },
    )
  },
  async "close with a watch and a listener"() {
    kv.watch(["n", 2], () => {})
    kv.listenQueue(() => {})
    await kv.close()
  },
}

const done = []
for (const [name, call] of Object.entries(everything)) {
  await call()
  done.push(name)
  process.stderr.write(`${name}\n`) // What a test that hangs shows.
}
printJson(done.length)
process.exit(0)
