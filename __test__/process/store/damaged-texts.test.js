// Texts that another program has put where KeyVal makes them itself: ids, versionstamps, settings. They may
// hold what a JSON string cannot, or be bytes; no call ends the process or hangs for them.
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { Kv } from "@buntime/keyval"
import { collect, refused } from "../../support/assert.js"
import { Listener } from "../../support/listener.js"
import { sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

/** What fails here may hang. */
const LIMITED = { timeout: 120_000 }

const BAD = {
  "a quotation mark": "'a\"b'",
  "a backslash": "'\\'",
  "a line feed": "char(10)",
  "a zero": "char(0)",
}

/** Opens a file to which another program has done something. */
async function opened(damage, use) {
  const folder = tempFolder()
  const file = join(folder.path, "store.db")
  try {
    const first = new Kv(file)
    await first.set(["a"], 1)
    await first.enqueue(1, { queue: "jobs", deduplicationKey: "once" })
    await first.consumer("reader", { lease: "1h" }).read()
    await first.lock("nightly", { duration: "1h" })
    await first.close()
    await sql(file, damage)
    const kv = new Kv(file, { sweepInterval: 0 })
    await use(kv, file)
    await kv.close()
  } finally {
    folder.dispose()
  }
}

for (const [what, bad] of Object.entries(BAD)) {
  test(`an id of a message with ${what} is returned unchanged`, LIMITED, () =>
    opened(`UPDATE kv_queue SET id = ${bad}`, async (kv) => {
      const { ok, id } = await kv.enqueue(1, { queue: "jobs", deduplicationKey: "once" })
      assert.equal(ok, true)
      assert.equal(typeof id, "string")
    }),
  )

  // Not seen to fail itself: a script had found that `info` threw for a quotation mark.
  test(`an id of the database with ${what} is returned unchanged`, LIMITED, () =>
    opened(`UPDATE kv_meta SET value = ${bad} WHERE key = 'database_id'`, async (kv) => {
      assert.equal(typeof (await kv.info()).databaseId, "string")
    }),
  )

  // Not seen to fail itself: a script had found that a single `get` was CORRUPT.
  test(`a versionstamp with ${what} leaves its neighbours readable`, LIMITED, () =>
    opened(`UPDATE kv_entries SET versionstamp = ${bad}`, async (kv) => {
      await kv.set(["b"], 2)
      const entries = await collect(kv.list({ prefix: [] }))
      assert.deepEqual(
        entries.map(({ value }) => value),
        [1, 2],
      )
    }),
  )

  test(`a setting with ${what} is refused, and an option mends it`, LIMITED, () =>
    opened(`UPDATE kv_meta SET value = ${bad} WHERE key = 'change_log'`, async (kv, file) => {
      await refused(() => kv.info(), "CORRUPT", /change_log/)
      await refused(() => collect(kv.changes()), "CORRUPT", /option changeLog/)
      await refused(() => kv.set(["b"], 2), "CORRUPT")
      assert.equal((await kv.get(["a"])).value, 1)
      const mended = new Kv(file, { changeLog: "keys" })
      assert.equal((await mended.set(["b"], 2)).ok, true)
      assert.equal((await mended.info()).changeLog, "keys")
      await mended.close()
    }),
  )
}

// Not seen to fail itself: a script had found that `queueStats` hung.
test("a queue whose name is bytes holds up no other", LIMITED, () =>
  opened("UPDATE kv_queue SET queue = x''", async (kv) => {
    const listener = new Listener(kv, () => {}, { queue: "jobs" })
    await kv.enqueue("after", { queue: "jobs" })
    await listener.subscription.stop({ timeout: "1m" })
    assert.equal((await kv.queueStats("jobs")).total, listener.values.includes("after") ? 0 : 1)
    assert.deepEqual(await kv.dlq.list(), [])
  }),
)

// Not seen to fail itself: a script had found that `read` was a RangeError.
test("a lease that ends at no date is reported as one", LIMITED, () =>
  opened("UPDATE kv_consumers SET locked_until = 9007199254740993", async (kv) => {
    await refused(() => kv.consumer("reader").read(), "BUSY", /lease until the time 9007199254740992/)
  }),
)

// Seen to fail: another owner got the lock beside the first.
for (const column of ["expires_at", "token", "owner"])
  test(`a lock whose ${column} is of another kind is given to nobody`, LIMITED, () =>
    opened(`UPDATE kv_locks SET ${column} = x'00'`, async (kv) => {
      await refused(() => kv.lock("nightly", { duration: "1h" }), "CORRUPT", /kv_locks/)
      await (await kv.lock("another", { duration: "1h" })).release()
    }),
  )

// Seen to fail: it began again before the first change; behind the end, `lag` was negative.
for (const position of ["'x'", "-9223372036854775807", "9223372036854775807"])
  test(`a consumer at the position ${position} is refused until it is deleted`, LIMITED, () =>
    opened(`UPDATE kv_consumers SET position = ${position}, locked_until = NULL`, async (kv) => {
      const consumer = kv.consumer("reader")
      await refused(() => consumer.read(), "CORRUPT", /consumer|position/)
      await consumer.delete()
      assert.equal((await consumer.read()).length, 1)
    }),
  )

// Seen to fail: the file was opened, and the next sweep removed the entry, as if its time had come.
test("an impossible time expires nothing", LIMITED, () =>
  opened("INSERT OR REPLACE INTO kv_meta (key, value) VALUES ('time', 0)", async (kv, file) => {
    await kv.set(["kept"], 1, { expiresIn: "7d" })
    await sql(file, "UPDATE kv_meta SET value = 9223372036854775807 WHERE key = 'time'")
    await refused(() => kv.set(["b"], 1), "CORRUPT", /an impossible time/)
    await sql(file, "UPDATE kv_meta SET value = 0 WHERE key = 'time'")
    assert.equal((await kv.get(["kept"])).value, 1)
  }),
)
