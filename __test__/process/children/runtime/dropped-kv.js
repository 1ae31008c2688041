// dropped-kv.js <scenario> <file> [worker]: a Kv is dropped without close; prints JSON. With "worker", in a
// worker thread.
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { isMainThread, Worker } from "node:worker_threads"
import { Kv } from "@buntime/keyval"
import { eventually, pause } from "../../../support/waiting.js"
import { printJson } from "../lines.js"

const [scenario, file, place] = process.argv.slice(2)
const STORES = 30
const VALUE_BYTES = 1_000_000
const STORED_BYTES = STORES * VALUE_BYTES
const ROUNDS = 4
/** Threads of the runtime come and go; a store has two. */
const OWN_THREADS = 20

function collect() {
  if (globalThis.Bun) Bun.gc(true)
  else globalThis.gc()
}

/** What is collected is finalised in tasks of the event loop. */
async function collectFully() {
  for (let at = 0; at < 10; at++) {
    collect()
    await pause(5)
  }
}

function threads() {
  return Number(/Threads:\s+(\d+)/.exec(readFileSync("/proc/self/status", "latin1"))[1])
}

function descriptors() {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ""
    }
  })
  return links.filter((link) => link.startsWith(file)).length
}

const registered = () => globalThis[Symbol.for("@buntime/keyval.files")]?.size ?? 0

async function use(url, at) {
  const kv = new Kv(url)
  await kv.set(["blob"], new Uint8Array(VALUE_BYTES).fill(at))
  await kv.get(["blob"])
}

/**
 * Stores that nobody holds any more, and what is left of them when `free` has made room: after the first
 * ones, which the runtime's heap grows with, and by how much the process has grown with as many again.
 * Allocators give back when they like, so that it may do this a few times.
 */
async function dropped(urlOf, free) {
  await use(urlOf(STORES), 0)
  await collectFully()
  const before = threads()
  let most = 0
  const dropSome = async () => {
    for (let at = 0; at < STORES; at++) {
      await use(urlOf(at), at)
      most = Math.max(most, threads() - before)
    }
    await eventually(async () => {
      await free()
      return threads() - before < OWN_THREADS && descriptors() === 0 && registered() === 0
    }, "all of them are freed")
    return process.memoryUsage().rss
  }
  let rssBytes = await dropSome()
  const grownBytes = []
  do {
    const rss = await dropSome()
    grownBytes.push(rss - rssBytes)
    rssBytes = rss
  } while (grownBytes.length < ROUNDS && grownBytes.at(-1) > STORED_BYTES / 2)
  return { most, rssBytes, grownBytes, storedBytes: STORED_BYTES }
}

/** What goes on though its Kv was dropped; each gives what it answers after that. */
const going = {
  async "a pending set"(kv) {
    const set = kv.set(["a"], 1)
    return async () => (await set).ok
  },
  async "a watch"(kv, other) {
    const seen = []
    const watch = kv.watch(["a"], ([entry]) => seen.push(entry.value), { emitInitial: false })
    return async () => {
      await other.set(["a"], 2)
      await eventually(() => seen.includes(2), "the watch is called")
      watch.stop()
      return true
    }
  },
  async "a watch whose subscription is dropped too"(kv, other) {
    const seen = []
    kv.watch(["a"], ([entry]) => seen.push(entry.value), { emitInitial: false })
    return async () => {
      await other.set(["a"], 3)
      return eventually(() => seen.includes(3), "the watch is called")
    }
  },
  async "a listener"(kv, other) {
    const handled = []
    kv.listenQueue(({ value }) => handled.push(value))
    return async () => {
      await other.enqueue("late")
      return eventually(() => handled.includes("late"), "the message is handled")
    }
  },
  async "a handler that runs, of a listener that was stopped"(kv, other) {
    await other.enqueue("slow", { queue: "slow" })
    const [begun, gate] = [resolvers(), resolvers()]
    const handler = async () => {
      begun.resolve()
      await gate.promise
    }
    const listener = kv.listenQueue(handler, { queue: "slow" })
    await begun.promise
    listener.stop()
    return async () => {
      gate.resolve()
      await listener.finished
      return (await other.queueStats("slow")).total === 0
    }
  },
  async "an iterator"(kv, other) {
    await other.setMany(Array.from({ length: 900 }, (_, at) => ({ key: ["n", at], value: at })))
    const list = kv.list(["n"], { batchSize: 10 })
    await list.next()
    return async () => {
      let count = 1
      for await (const _ of list) count++
      return count === 900
    }
  },
  async "a loop over a watch"(kv, other) {
    const watch = kv.watch(["w"])
    const next = watch.next()
    return async () => {
      await other.set(["w"], 1)
      await next
      await watch.return()
      return true
    }
  },
  async "live changes"(kv, other) {
    const feed = kv.changes({ live: true })[Symbol.asyncIterator]()
    const next = feed.next()
    return async () => {
      await other.set(["c"], 1)
      await next
      await feed.return()
      return true
    }
  },
  async "a lock"(kv) {
    const lock = await kv.lock("name")
    return async () => lock.acquired && (await lock.release()).ok
  },
  async "a consumer"(kv, other) {
    const consumer = kv.consumer("name")
    await consumer.read()
    return async () => {
      await other.set(["x"], 1)
      return (await consumer.read()).length > 0
    }
  },
  async "a transaction"(kv) {
    const [begun, gate] = [resolvers(), resolvers()]
    const result = kv.transaction(async (tx) => {
      await tx.get(["t"])
      begun.resolve()
      await gate.promise
      tx.set(["t"], 1)
    })
    await begun.promise
    return async () => {
      gate.resolve()
      return (await result).ok
    }
  },
  async "a commit that is being built"(kv) {
    const atomic = kv.atomic().set(["b"], 1)
    return async () => (await atomic.commit()).ok
  },
  async "a collection"(kv) {
    const collection = kv.collection(["people"])
    return async () => typeof (await collection.set("ada", { name: "Ada" })) === "object"
  },
}

function resolvers() {
  const parts = {}
  parts.promise = new Promise((resolve) => Object.assign(parts, { resolve }))
  return parts
}

const scenarios = {
  "memory, freed by force": () => dropped(() => ":memory:", collectFully),
  "files, freed by force": () => dropped((at) => `${file}-${at}`, collectFully),
  /** As a suite that never closes: nobody forces anything. */
  "memory, freed in time": () =>
    dropped(
      () => ":memory:",
      () => use(":memory:", 0),
    ),

  async "what was acknowledged is there"() {
    for (let at = 0; at < 50; at++) await new Kv(file).atomic().sum(["sum"], 1n).commit()
    // These are pending when they are dropped.
    for (let at = 0; at < 50; at++) void new Kv(file).atomic().sum(["sum"], 1n).commit()
    await eventually(async () => {
      await collectFully()
      return descriptors() === 0 && registered() === 0
    }, "all of them are freed")
    const kv = new Kv(file)
    const { value } = await kv.get(["sum"])
    await kv.close()
    return value
  },

  async "what goes on"() {
    const answers = {}
    const other = new Kv(file)
    // A function of its own, so that no frame holds the Kv.
    const begin = (start) => start(new Kv(file), other)
    for (const [name, start] of Object.entries(going)) {
      const end = await begin(start)
      await collectFully()
      answers[name] = await end()
    }
    await other.close()
    return answers
  },
}

if (place === "worker" && isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url), { argv: process.argv.slice(2) })
  worker.once("error", (error) => {
    console.error(error)
    process.exitCode = 1
  })
} else {
  printJson(await scenarios[scenario]())
  // The watch and the listener that nobody can stop any more would keep it alive.
  process.exit()
}
