import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { sweep } from "../../../dist/testing.js"
import { counts, drained, Listener } from "../../support/listener.js"
import { sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const DAMAGE = {
  // Not seen to fail themselves, a lease that is a text or bytes and an id of bytes: a script had found that
  // a claim changed no row, and the message was delivered again and again.
  "a lease that is a text": ["lease = 'x'", /damaged: a stored number/],
  "attempts that are bytes": ["attempts = x'31'", /damaged: a stored number/],
  "an id of bytes": ["id = x'6964'", /damaged: a stored text/],
  "a lease with a fraction": ["lease = 0.5", /damaged: a stored number/],
  "an id that is no text": ["id = x'ff'", /damaged/],
  "a name that is no text": ["ordering_key = x'ff'", /damaged/],
  "keys that are no text": ["keys_if_undelivered = x'ff'", /damaged/],
  "a schedule that is no text": ["backoff_schedule = x'ff'", /damaged/],
  "a value that is no JSON": ["value = x'7b'", /damaged/],
  "a schedule that is no JSON": ["backoff_schedule = '['", /damaged.*no to it/],
}

const second = (damage) => `UPDATE kv_queue SET ${damage} WHERE seq = 2`

/** Runs a test on a file of its own; `damage` alters the second message that was enqueued. */
async function inFile(work) {
  const folder = tempFolder()
  const file = join(folder.path, "store.db")
  const kv = new Kv(file, { sweepInterval: 0 })
  try {
    await work({ kv, damage: (set) => sql(file, second(set)), rows: (text) => sql(file, text) })
  } finally {
    await kv.close()
    folder.dispose()
  }
}

// Seen to fail: the first row that could not be read ended every listener of its queue.
for (const [what, [damaged, reason]] of Object.entries(DAMAGE)) {
  test(`a damaged message is set aside with its reason: ${what}`, () =>
    inFile(async ({ kv, damage, rows }) => {
      for (const value of ["first", "damaged", "last"]) await kv.enqueue(value)
      await damage(damaged)
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
      const [[letter]] = await rows("SELECT error_message, queue FROM kv_dlq")
      assert.match(letter.error_message, reason)
      assert.equal(letter.queue, "default")
      assert.equal((await kv.dlq.list()).length, 1)
    }))
}

/** Who sets a message aside. */
const SET_ASIDE_BY = {
  listener: {
    damage: {
      "its id": "id = x'ff'",
      "its ordering key": "ordering_key = x'ff'",
      "its schedule": "backoff_schedule = x'ff'",
      "its deduplication key": "deduplication_key = x'ff'",
      "an impossible number": "lease = -1",
    },
    run: async (kv) => {
      const listener = new Listener(kv, ({ value }) => value === "damaged" && assert.fail("handled"))
      await counts(kv, { dlq: 1, pending: 0, processing: 0 })
      await listener.stop()
    },
  },
  sweep: {
    damage: {
      "its status": "status = 'unknown'",
      "its time": "ready_at = 'then'",
      "its queue": "queue = x'ff'",
    },
    run: async (kv) => {
      await sweep(kv)
      await counts(kv, { dlq: 1 })
    },
  },
}

for (const [by, { damage: damages, run }] of Object.entries(SET_ASIDE_BY))
  describe(`keysIfUndelivered of a damaged message that a ${by} sets aside`, () => {
    const keys = [["undelivered", 1], ["k"]]

    async function setAside(kv, damage, set, value = "damaged") {
      await kv.enqueue("first")
      await kv.enqueue(value, { keysIfUndelivered: keys, orderingKey: "o", deduplicationKey: "d" })
      await damage(set)
      await run(kv)
      const [letter, ...more] = await kv.dlq.list()
      assert.deepEqual(more, [])
      return letter
    }

    // Seen to fail: no key had a value.
    for (const [what, set] of Object.entries(damages))
      test(`are written in the same commit: ${what}`, () =>
        inFile(async ({ kv, damage }) => {
          const letter = await setAside(kv, damage, set)
          assert.equal(letter.value, "damaged")
          assert.match(letter.errorMessage, /^the message is damaged: [^;]*$/)
          const entries = await kv.getMany(keys)
          assert.deepEqual(
            entries.map(({ value }) => value),
            ["damaged", "damaged"],
          )
          assert.equal(entries[0].versionstamp, entries[1].versionstamp)
          assert.equal(await kv.changes.head(), 2)
        }))

    const [set] = Object.values(damages)
    // Seen to fail, of the last two: the value was written, and could not be read.
    for (const [what, also] of Object.entries({
      "the keys are no JSON": "keys_if_undelivered = '['",
      "the keys are no hexadecimal": `keys_if_undelivered = '["zz"]'`,
      "the keys are no keys": `keys_if_undelivered = '["ff"]'`,
      "the value is no JSON": "value = x'7b'",
      "the value is of a later version": "encoding = 9",
    }))
      test(`are left alone where ${what}, and the dead letter says so`, () =>
        inFile(async ({ kv, damage }) => {
          const letter = await setAside(kv, damage, `${set}, ${also}`)
          assert.match(letter.errorMessage, /^the message is damaged: .*; keysIfUndelivered: the /)
          assert.equal(await kv.count([]), 0)
          assert.equal(await kv.changes.head(), 0)
        }))

    test("are left out, and named, where a unique index refuses them", () =>
      inFile(async ({ kv, damage }) => {
        await kv.createIndex(["undelivered"], { on: ["mail"], unique: true })
        await kv.set(["undelivered", "first"], { mail: "ada" })
        const { errorMessage } = await setAside(kv, damage, set, { mail: "ada" })
        assert.match(errorMessage, /\["undelivered",1\].*\["undelivered","first"\]/)
        const values = (await kv.getMany(keys)).map(({ value }) => value)
        assert.deepEqual(values, [null, { mail: "ada" }])
      }))

    test("are those of the message that is put back", () =>
      inFile(async ({ kv, damage }) => {
        const { id, queue } = await setAside(kv, damage, set)
        await kv.delete({ prefix: [] })
        if (queue !== "default") return
        assert.equal((await kv.dlq.requeue(id)).ok, true)
        new Listener(kv, ({ value }) => value === "damaged" && Promise.reject(new Error("no")))
        await counts(kv, { dlq: 1, pending: 0, processing: 0 })
        assert.equal((await kv.get(["k"])).value, "damaged")
      }))
  })

// Seen to fail: the value that nobody can read was written to the key.
test("a value that only the handler's process found damaged is under no key", () =>
  inFile(async ({ kv, damage }) => {
    await kv.enqueue("first")
    await kv.enqueue("damaged", { keysIfUndelivered: [["k"]] })
    await damage("value = x'7b'")
    new Listener(kv)
    await counts(kv, { dlq: 1, pending: 0, processing: 0 })
    assert.equal((await kv.get(["k"])).versionstamp, null)
    assert.match((await kv.dlq.list())[0].errorMessage, /damaged; keysIfUndelivered: the stored value/)
  }))

describe("a message whose id cannot be read, where another one has its deduplication key", () => {
  const keys = [["undelivered", 1], ["k"]]
  const options = { orderingKey: "o", deduplicationKey: "d", keysIfUndelivered: keys }

  async function enqueued({ kv, damage }, id, enqueue, value = "damaged") {
    await kv.enqueue("first")
    await kv.enqueue(value, options)
    await damage(`id = ${id}`)
    const result = await enqueue(kv)
    await counts(kv, { pending: 2, dlq: 1 })
    const listener = new Listener(kv)
    await drained(kv)
    assert.deepEqual(listener.values, ["first", "new"])
    assert.deepEqual(listener.errors.all, [])
    const [letter] = await kv.dlq.list()
    assert.deepEqual([letter.value, letter.queue], [value, "default"])
    assert.match(letter.errorMessage, /^the message is damaged: a stored text/)
    return { letter, result }
  }

  // Seen to fail, with bytes that are no text: the call was CORRUPT, as often as it was tried. With bytes
  // that are one: the id of the damaged message was given, which became a dead letter, and nothing was
  // delivered.
  for (const id of ["x'ff'", "x'6964'"]) {
    test(`becomes a dead letter, and the other one is enqueued: ${id}`, () =>
      inFile(async (file) => {
        const { result } = await enqueued(file, id, (kv) => kv.enqueue("new", options))
        assert.equal(result.ok, true)
        const values = (await file.kv.getMany(keys)).map(({ value }) => value)
        assert.deepEqual(values, ["damaged", "damaged"])
      }))

    test(`becomes a dead letter, and the whole commit is made: ${id}`, () =>
      inFile(async (file) => {
        const { kv } = file
        await kv.createIndex(["undelivered"], { on: ["mail"], unique: true })
        await kv.set(["undelivered", "first"], { mail: "ada" })
        await kv.set(["k"], 1n)
        const commit = (kv) =>
          kv
            .atomic()
            .enqueue("new", options)
            .set(["a"], 1)
            .enqueue("never", options)
            .set(["k"], 2n)
            .sum(["k"], 3n)
            .commit()
        const { letter, result } = await enqueued(file, id, commit, { mail: "ada" })
        assert.equal(result.ok, true)
        assert.match(letter.errorMessage, /\["undelivered",1\].*\["undelivered","first"\]/)
        const values = (await kv.getMany([...keys, ["a"]])).map(({ value }) => value)
        assert.deepEqual(values, [null, 5n, 1])
      }))
  }

  test("does not hold up a dead letter that is put back", () =>
    inFile(async ({ kv, damage }) => {
      await kv.enqueue("dead", { ...options, backoffSchedule: [] })
      const listener = new Listener(kv, () => Promise.reject(new Error("no")))
      await counts(kv, { dlq: 1 })
      await listener.stop()
      await kv.enqueue("damaged", options)
      await damage("id = x'ff'")
      const [{ id }] = await kv.dlq.list()
      assert.equal((await kv.dlq.requeue(id)).ok, true)
      const second = new Listener(kv)
      await drained(kv)
      assert.deepEqual(second.values, ["dead"])
    }))
})

describe("a message that is damaged while it is handled", () => {
  const columns = ["queue", "ordering_key", "backoff_schedule", "deduplication_key", "keys_if_undelivered"]
  // Seen to fail: the listener met CORRUPT again and again, and handled nothing more.
  for (const column of columns)
    test(`holds up nobody: ${column}`, () =>
      inFile(async ({ kv, damage }) => {
        const options = { orderingKey: "o", deduplicationKey: "d", keysIfUndelivered: [["k"]] }
        await kv.enqueue("first")
        await kv.enqueue("damaged", options)
        const listener = new Listener(kv, async ({ value }) => {
          if (value !== "damaged") return
          await damage(`${column} = x'ff'`)
          throw new Error("no to it")
        })
        await listener.take(2)
        await counts(kv, { dlq: 1, pending: 0, processing: 0 })
        await kv.enqueue("after", { orderingKey: "o" })
        await drained(kv)
        assert.deepEqual(listener.values, ["first", "damaged", "after"])
        const [{ errorMessage }] = await kv.dlq.list()
        assert.match(errorMessage, /^the message is damaged: .*; no to it$/)
        const { value } = await kv.get(["k"])
        assert.equal(value, column === "keys_if_undelivered" ? null : "damaged")
        assert.equal(listener.errors.all.length, 1)
      }))

  // Seen to fail: the same.
  for (const column of ["queue", "ordering_key"])
    test(`is gone when it was handled: ${column}`, () =>
      inFile(async ({ kv, damage }) => {
        for (const value of ["first", "damaged"]) await kv.enqueue(value, { orderingKey: value })
        const listener = new Listener(
          kv,
          ({ value }) => value === "damaged" && damage(`${column} = x'ff'`).then(() => {}),
        )
        await listener.take(2)
        await counts(kv, { total: 0 })
        await kv.enqueue("after")
        await drained(kv)
        assert.deepEqual(listener.errors.all, [])
      }))
})
