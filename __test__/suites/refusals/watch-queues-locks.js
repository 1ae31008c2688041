import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { refused, snapshot } from "../../support/assert.js"
import { useStore } from "../../support/store.js"
import * as bad from "../../support/tables/bad-arguments.js"
import { groups, KEY_CALLS, VALUE_CALLS } from "../../support/tables/bad-subscriptions.js"

/** Law 8 for watches, the feed, consumers, queues and locks: what is refused has written nothing. */
export function subscriptionRefusals(target) {
  const store = useStore(target, { per: "suite" })
  let before
  let context

  /** Everything that a call could have written. */
  async function state(kv) {
    return {
      entries: await snapshot(kv),
      head: await kv.changes.head(),
      queues: await kv.queueStats(),
      letters: await kv.dlq.list(),
      locks: [await kv.lock.status("l"), await kv.lock.status("new")],
      consumer: await kv.consumer("c").status(),
      other: await kv.consumer("x").status(),
    }
  }

  async function seeded() {
    if (!before) {
      const { kv } = store
      const { versionstamp } = await kv.set(["a"], 1)
      context = { versionstamp }
      await kv.set(["a", 1], 1)
      await kv.enqueue("m", { delay: "1h" })
      await kv.lock("l", { duration: "1y" })
      await kv.consumer("c", { lease: "1d" }).read()
      before = await state(kv)
    }
    return store.kv
  }

  async function refuses(call, codes, ...said) {
    const kv = await seeded()
    const was = before
    try {
      await refused(() => call(kv, context), codes, ...said)
    } finally {
      before = await state(kv)
    }
    assert.deepEqual(before, was)
  }

  for (const [group, rows] of Object.entries(groups)) {
    describe(group, () => {
      for (const [name, call, codes, ...said] of rows) test(name, () => refuses(call, codes, ...said))
    })
  }

  describe("keys", () => {
    for (const [what, key, codes, ...said] of bad.badKeys) {
      test(what, async () => {
        for (const [caller, call] of Object.entries(KEY_CALLS)) {
          try {
            await refuses((kv) => call(kv, key), codes, ...said)
          } catch (error) {
            throw new Error(`${caller}: ${error.message}`, { cause: error })
          }
        }
      })
    }

    test("placeholders", async () => {
      for (const call of Object.values(KEY_CALLS)) {
        await refuses((kv) => call(kv, ["k", kv.uuidv7()]), "INVALID_ARGUMENT")
        await refuses((kv) => call(kv, ["k", kv.commitVersionstamp()]), "INVALID_ARGUMENT")
      }
    })

    for (const [what, key, codes] of bad.noKeys) {
      test(`a target that is ${what}`, async () => {
        await refuses((kv) => kv.watch(key, () => {}), codes, /key|target|prefix/i)
        await refuses((kv) => kv.watch(key), codes, /key|target|prefix/i)
      })
    }
  })

  describe("values", () => {
    for (const [what, make, codes, ...said] of bad.badValues) {
      test(what, async () => {
        for (const call of Object.values(VALUE_CALLS)) {
          await refuses((kv) => call(kv, make()), codes, ...said)
        }
      })
    }

    test("an error never holds what was given", async () => {
      const kv = await seeded()
      for (const call of Object.values(VALUE_CALLS)) {
        const error = await refused(() => call(kv, { password: "hunter2", f: () => 0 }), "INVALID_ARGUMENT")
        assert.doesNotMatch(error.message, /hunter2/)
      }
    })
  })

  test("a nack without the lease is refused whatever its error is", async () => {
    for (const error of [null, 5, {}, Symbol("s"), () => {}]) {
      await refuses((kv) => kv.nackMessage("unknown", { error }), "CONFLICT")
    }
  })

  test("an atomic of 1001 messages is refused", async () => {
    const call = (kv) => {
      const atomic = kv.atomic()
      for (let at = 0; at < 1001; at++) atomic.enqueue(at)
      return atomic.commit()
    }
    await refuses(call, "LIMIT_EXCEEDED", /1001|1000/)
  })

  test("an atomic of more than 16 MiB of messages is refused", async () => {
    const message = new Uint8Array(6 * 1024 * 1024)
    const call = (kv) => kv.atomic().enqueue(message).enqueue(message).enqueue(message).commit()
    await refuses(call, "LIMIT_EXCEEDED", /16777216|16 MiB/)
  })

  test("the bounds themselves are taken", async () => {
    const kv = await seeded()
    const stopped = (subscription) => subscription.stop()
    stopped(kv.watch(["a"], () => {}, { bufferSize: 10_000 }))
    stopped(kv.watch(["a"], () => {}, { bufferSize: 1, from: context.versionstamp }))
    stopped(kv.watch(["a"], () => {}, { bufferSize: null, exact: false, emitInitial: true }))
    for (const lockDuration of [100, "1d"]) {
      stopped(kv.listenQueue(() => {}, { queue: "none", lockDuration, concurrency: 1000 }))
    }
    for (const lease of [100, "1d"]) kv.consumer("y", { lease })
    const options = { backoffSchedule: Array(100).fill(1), delay: "100y", queue: "ü".repeat(512) }
    assert.equal((await kv.enqueue(1, options)).ok, true)
    for (const duration of [1, "100y"]) {
      assert.equal((await kv.lock("y".repeat(1024), { duration, owner: "me" })).acquired, true)
    }
  })
}
