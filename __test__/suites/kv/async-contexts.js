// In which async context callbacks run: in that of the call which they were given to.
import assert from "node:assert/strict"
import { AsyncLocalStorage } from "node:async_hooks"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { KvError } from "@buntime/keyval"
import { failNext } from "../../../dist/testing.js"
import { root } from "../../support/runtimes.js"
import { readCallbacks } from "../../support/sources/declarations.js"
import { useStore } from "../../support/store.js"
import { tempFolder } from "../../support/targets.js"
import { eventually } from "../../support/waiting.js"

const requests = new AsyncLocalStorage()
const quiet = { onError() {} }

const busy = () => new KvError("BUSY", "another process holds the file")

/**
 * By the callback, as the contract has it, or by the loop: each begins something that `note` says where it
 * runs in, and gives what ends it. `elsewhere` calls a function in the context of somebody else.
 */
const CALLBACKS = {
  "Kv.listenQueue": (kv, note) => kv.listenQueue(note),
  "Kv.listenQueue, another attempt": (kv, note) =>
    kv.listenQueue(({ attempts }) => {
      if (attempts === 1) throw new Error("once")
      note()
    }, quiet),
  "KvListenOptions.onError": (kv, note) =>
    kv.listenQueue(
      () => {
        throw new Error("always")
      },
      { onError: note },
    ),
  KvWatchCallback: (kv, note) => kv.watch(["w"], note, { emitInitial: false }),
  "KvWatchOptions.onError": (kv, note) =>
    kv.watch(
      ["w"],
      () => {
        throw new Error("always")
      },
      { emitInitial: false, onError: note },
    ),
  "KvChangesOptions.onError": (kv, note) => {
    failNext(kv, "changes", busy())
    const feed = kv.changes({ live: true, onError: note })
    return elsewhere(() => loop(feed, () => {}))
  },
  "KvConsumerOptions.onError": (kv, note) => {
    failNext(kv, "takeConsumer", busy())
    const consumer = kv.consumer("c", { onError: note })
    return elsewhere(() => loop(consumer[Symbol.asyncIterator](), () => {}))
  },
  "a loop over a watch": (kv, note) => loop(kv.watch(["w"], { emitInitial: false }), note),
  "a loop over the change feed": (kv, note) => loop(kv.changes({ live: true, prefix: ["w"] }), note),
  "a loop over a consumer": (kv, note) =>
    loop(kv.consumer("c", { prefix: ["w"] })[Symbol.asyncIterator](), note),
}

/** Callbacks of calls that end by themselves: the last test. */
const OF_ONE_CALL = [
  "Kv.transaction",
  "KvBackupOptions.onProgress",
  "KvSchema.~standard",
  "KvSetManyOptions.onProgress",
]

const elsewhere = (call) => requests.run("who reads it", call)

function loop(iterator, note) {
  const run = async () => {
    for await (const _ of { [Symbol.asyncIterator]: () => iterator }) note()
  }
  const finished = run()
  return { stop: () => iterator.return(), finished }
}

/** The contexts in which `begin`'s callbacks ran, when others had opened the store, and woke them. */
async function seen(kv, begin) {
  const contexts = []
  const note = () => void contexts.push(requests.getStore())
  const running = begin(kv, note)
  await requests.run("who wakes it", async () => {
    await kv.enqueue(1, { backoffSchedule: [1] })
    await kv.set(["w", 1], 1)
  })
  await eventually(() => contexts.length > 0)
  running.stop()
  await running.finished
  return new Set(contexts)
}

export function asyncContexts(target) {
  const store = useStore(target)
  /** As a server does that opens it with its first request. */
  const openedByARequest = () => requests.run("who opened it", () => store.another())

  test("each callback of the contract is one of these", () => {
    const callbacks = readCallbacks(readFileSync(join(root, "index.d.ts"), "utf8"))
    const rows = Object.keys(CALLBACKS).filter((name) => /^Kv[\w.]+$/.test(name))
    assert.deepEqual(callbacks, [...rows, ...OF_ONE_CALL].sort())
  })

  for (const [name, begin] of Object.entries(CALLBACKS)) {
    // Seen to fail: the handlers of a queue, and onError, ran in the context of the request that had opened
    // the Kv; with onError of feeds and of consumers taken as it is given, in that of the request that read
    // them.
    test(`${name}: that of the call, or none`, async () => {
      const kv = openedByARequest()
      assert.deepEqual(await seen(kv, begin), new Set([undefined]))
      const inside = await requests.run("who asked", () => seen(kv, begin))
      assert.deepEqual(inside, new Set(["who asked"]))
    })
  }

  test("progress, entries that are read, the function of a transaction, a schema, a tracer", async () => {
    const folder = tempFolder()
    const contexts = []
    const note = () => void contexts.push(requests.getStore())
    const span = { setAttribute: note, setStatus: note, end: note }
    const startSpan = () => {
      note()
      return span
    }
    const kv = requests.run("who opened it", () => store.another({ tracer: { startSpan } }))
    async function* entries() {
      for (let at = 0; at < 3; at++) {
        note()
        yield { key: ["a", at], value: 1 }
      }
    }
    await requests.run("who asked", async () => {
      await kv.setMany(entries(), { onProgress: note })
      await assert.rejects(kv.get([{}]), { code: "INVALID_ARGUMENT" })
      await kv.backup(join(folder.path, "copy.db"), { onProgress: note })
      let tries = 0
      await kv.transaction(
        async (tx) => {
          await tx.get(["t"])
          if (tries++ === 0) await kv.set(["t"], 1)
          tx.set(["t"], 2)
          note()
          requests.enterWith("somewhere else")
        },
        { maxRetries: 1, retryDelay: 1 },
      )
    })
    const validate = (value) => {
      note()
      return { value }
    }
    const schema = { "~standard": { version: 1, vendor: "test", validate } }
    await requests.run("who asked", () => kv.collection(["c"], schema).set(1, 1))
    folder.dispose()
    assert.ok(contexts.length >= 15)
    assert.deepEqual(new Set(contexts), new Set(["who asked"]))
  })
}
