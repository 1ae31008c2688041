// In which async context callbacks run: in that of the call which they were given to.
import assert from "node:assert/strict"
import { AsyncLocalStorage } from "node:async_hooks"
import { join } from "node:path"
import { test } from "node:test"
import { useStore } from "../../support/store.js"
import { tempFolder } from "../../support/targets.js"
import { eventually } from "../../support/waiting.js"

const requests = new AsyncLocalStorage()
const quiet = { onError() {} }

/** Each begins something with callbacks, or a loop, that `note` says where it runs in; and gives what ends it. */
const CALLBACKS = {
  "a handler of a queue": (kv, note) => kv.listenQueue(note),
  "a handler that was tried again": (kv, note) =>
    kv.listenQueue(({ attempts }) => {
      if (attempts === 1) throw new Error("once")
      note()
    }, quiet),
  "onError of a listener": (kv, note) =>
    kv.listenQueue(
      () => {
        throw new Error("always")
      },
      { onError: note },
    ),
  "the callback of a watch": (kv, note) => kv.watch(["w"], note, { emitInitial: false }),
  "onError of a watch": (kv, note) =>
    kv.watch(
      ["w"],
      () => {
        throw new Error("always")
      },
      { emitInitial: false, onError: note },
    ),
  "a loop over a watch": (kv, note) => loop(kv.watch(["w"], { emitInitial: false }), note),
  "a loop over the change feed": (kv, note) => loop(kv.changes({ live: true, prefix: ["w"] }), note),
  "a loop over a consumer": (kv, note) =>
    loop(kv.consumer("c", { prefix: ["w"] })[Symbol.asyncIterator](), note),
}

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

  for (const [name, begin] of Object.entries(CALLBACKS)) {
    // Seen to fail: the handlers of a queue, and onError, ran in the context of the request that had opened the Kv.
    test(`${name}: that of the call, or none`, async () => {
      const kv = openedByARequest()
      assert.deepEqual(await seen(kv, begin), new Set([undefined]))
      const inside = await requests.run("who asked", () => seen(kv, begin))
      assert.deepEqual(inside, new Set(["who asked"]))
    })
  }

  test("progress, the function of a transaction, a schema", async () => {
    const kv = openedByARequest()
    const folder = tempFolder()
    const contexts = []
    const note = () => void contexts.push(requests.getStore())
    await requests.run("who asked", async () => {
      await kv.setMany([{ key: ["a"], value: 1 }], { onProgress: note })
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
    assert.ok(contexts.length >= 5)
    assert.deepEqual(new Set(contexts), new Set(["who asked"]))
  })
}
