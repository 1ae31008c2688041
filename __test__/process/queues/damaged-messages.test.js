import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { Kv } from "@buntime/keyval"
import { counts, drained, Listener } from "../../support/listener.js"
import { nodeOnly, sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const DAMAGE = {
  "an id that is no text": ["UPDATE kv_queue SET id = x'ff' WHERE seq = 2", /damaged/],
  "a name that is no text": ["UPDATE kv_queue SET ordering_key = x'ff' WHERE seq = 2", /damaged/],
  "keys that are no text": ["UPDATE kv_queue SET keys_if_undelivered = x'ff' WHERE seq = 2", /damaged/],
  "a schedule that is no text": ["UPDATE kv_queue SET backoff_schedule = x'ff' WHERE seq = 2", /damaged/],
  "a value that is no JSON": ["UPDATE kv_queue SET value = x'7b' WHERE seq = 2", /damaged/],
  "a schedule that is no JSON": [
    "UPDATE kv_queue SET backoff_schedule = '[' WHERE seq = 2",
    /damaged.*no to it/,
  ],
}

// Seen to fail: the first row that could not be read ended every listener of its queue.
for (const [what, [damage, reason]] of Object.entries(DAMAGE)) {
  test(`a damaged message is set aside with its reason: ${what}`, nodeOnly, async () => {
    const folder = tempFolder()
    const file = join(folder.path, "store.db")
    const kv = new Kv(file, { sweepInterval: 0 })
    try {
      for (const value of ["first", "damaged", "last"]) await kv.enqueue(value)
      await sql(file, damage)
      const listener = new Listener(kv, ({ value }) => {
        if (value === "damaged") throw new Error("no to it")
      })
      await counts(kv, { dlq: 1, pending: 0, processing: 0 })
      await kv.enqueue("after")
      await drained(kv)
      assert.deepEqual(
        listener.values.filter((value) => value !== "damaged"),
        ["first", "last", "after"],
      )
      assert.equal(listener.subscription.closed, false)
      const [letter] = await sql(file, "SELECT error_message, queue FROM kv_dlq").then(([rows]) => rows)
      assert.match(letter.error_message, reason)
      assert.equal(letter.queue, "default")
      assert.equal((await kv.dlq.list().catch(() => [0])).length, 1)
    } finally {
      await kv.close()
      folder.dispose()
    }
  })
}
