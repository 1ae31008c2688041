// A value that is damaged on disk is reported to those who read it, and to nobody else; no message shows what
// is stored.
import assert from "node:assert/strict"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { encodeKey } from "../../../dist/testing.js"
import { collect, refused } from "../../support/assert.js"
import { counts, Listener } from "../../support/listener.js"
import { nodeOnly, sql } from "../../support/runtimes.js"
import { toHex } from "../../support/tables/key-vectors.js"
import { tempFolder } from "../../support/targets.js"

const LARGE = "x".repeat(300 * 1024)

describe("process: a damaged value", nodeOnly, () => {
  let folder
  let kv

  before(async () => {
    folder = tempFolder()
    const file = join(folder.path, "store.db")
    const first = new Kv(file)
    for (const key of [["a"], ["bad"], ["c"], ["comma"], ["odd"]]) await first.set(key, key[0])
    await first.set(["large"], LARGE)
    await first.close()
    const hexOf = (key) => toHex(encodeKey(key))
    await sql(
      file,
      `UPDATE kv_entries SET value = CAST('{"v":sekret' AS BLOB) WHERE key = X'${hexOf(["bad"])}'`,
      `UPDATE kv_entries SET value = CAST('1,2' AS BLOB) WHERE key = X'${hexOf(["comma"])}'`,
      `UPDATE kv_entries SET encoding = 77 WHERE key = X'${hexOf(["odd"])}'`,
    )
    kv = new Kv(file)
  })

  after(async () => {
    await kv.close()
    folder.dispose()
  })

  // Seen to fail: answer all reads of a tick by the one error.
  test("spoils no other read of its tick", async () => {
    const calls = [
      kv.get(["a"]),
      kv.get(["bad"]),
      kv.get(["comma"]),
      kv.get(["odd"]),
      kv.getMany([["a"], ["c"]]),
      kv.get(["none"]),
    ]
    const [a, bad, comma, odd, many, none] = await Promise.allSettled(calls)
    assert.equal(a.value.value, "a")
    assert.equal(bad.reason.code, "CORRUPT")
    assert.equal(comma.reason.code, "CORRUPT")
    assert.equal(odd.reason.code, "UNSUPPORTED")
    assert.deepEqual(
      many.value.map(({ value }) => value),
      ["a", "c"],
    )
    assert.equal(none.value.versionstamp, null)
  })

  // A page is parts side by side. Seen to fail: do not compare how many there are with the number of entries.
  test("moves no other entry of a page", async () => {
    await refused(() => kv.getMany([["a"], ["comma"], ["c"]]), "CORRUPT")
    await refused(() => collect(kv.list({ start: ["c"], end: ["d"] })), "CORRUPT")
  })

  // Seen to fail: put the pages of the reader thread into the text of the letters.
  test("spoils no read and no write that comes back beside it", async () => {
    const calls = [kv.get(["large"]), kv.getMany([["bad"], ["large"]]), kv.set(["new"], 1), kv.count(["new"])]
    const [large, bad, set, count] = await Promise.allSettled(calls)
    assert.equal(large.value.value, LARGE)
    assert.equal(bad.reason.code, "CORRUPT")
    assert.equal(set.value.ok, true)
    assert.equal(count.value, 0)
  })

  test("is reported without showing what is stored", async () => {
    const error = await refused(() => kv.get(["bad"]), "CORRUPT")
    assert.doesNotMatch(error.message, /sekret/)
    await refused(() => collect(kv.list({ prefix: [] })), ["CORRUPT", "UNSUPPORTED"])
    assert.equal(await kv.count({ prefix: [] }), 7)
  })
})

// What another program has written: such as a RegExp of newer syntax, which only some runtimes have, or what
// is no JSON.
const UNREADABLE = {
  "a value that this runtime cannot show": `encoding = 1, value = CAST('{"__type":"regexp","value":"(","flags":"v"}' AS BLOB)`,
  "a value that is no JSON": `value = CAST('{"v":sekret' AS BLOB)`,
  "a value that is JSON only beside others": `value = CAST('1,2' AS BLOB)`,
  "a value of an unknown encoding": "encoding = 77",
}
for (const [what, unreadable] of Object.entries(UNREADABLE))
  describe(`process: ${what}`, nodeOnly, () => {
    let folder
    let kv
    const keys = Array.from({ length: 6 }, (_, at) => ["d", at])
    const at = (entries) => entries.map(({ key }) => key[1])

    before(async () => {
      folder = tempFolder()
      const file = join(folder.path, "store.db")
      const first = new Kv(file)
      for (const key of keys) await first.set(key, { n: key[1] })
      await first.close()
      await sql(
        file,
        ...[2, 4].map(
          (n) => `UPDATE kv_entries SET ${unreadable} WHERE key = X'${toHex(encodeKey(["d", n]))}'`,
        ),
      )
      kv = new Kv(file)
    })

    after(async () => {
      await kv.close()
      folder.dispose()
    })

    // Seen to fail: the message named no key.
    test("fails a getMany, which names its key", async () => {
      await refused(() => kv.getMany(keys), ["CORRUPT", "UNSUPPORTED"], /"d", 2\]/)
      await refused(() => kv.transaction((tx) => tx.getMany(keys)), ["CORRUPT", "UNSUPPORTED"], /"d", 2\]/)
      assert.deepEqual(at(await kv.getMany([0, 1, 3, 5].map((n) => ["d", n]))), [0, 1, 3, 5])
    })

    // Seen to fail, of what is no JSON and of an unknown encoding: the whole page was lost.
    test("fails one step of a list, which goes on behind it", async () => {
      const list = kv.list(["d"])
      const [found, failed] = [[], []]
      for (;;) {
        try {
          const { done, value } = await list.next()
          if (done) break
          found.push(value)
        } catch (error) {
          failed.push(error.message)
        }
      }
      assert.deepEqual(at(found), [0, 1, 3, 5])
      assert.deepEqual(failed.length, 2)
      assert.match(failed[0], /"d", 2\]/)
    })

    // Seen to fail: no page but the last was given.
    test("ends a page before it, and the cursor of a list is behind it", async () => {
      const first = await kv.paginate(["d"])
      assert.deepEqual([at(first.entries), first.hasMore], [[0, 1], true])
      await refused(
        () => kv.paginate(["d"], { cursor: first.cursor }),
        ["CORRUPT", "UNSUPPORTED"],
        /"d", 2\]/,
      )
      const list = kv.list(["d"], { cursor: first.cursor })
      await refused(() => list.next(), ["CORRUPT", "UNSUPPORTED"])
      const { cursor } = list
      await list.return()
      const second = await kv.paginate(["d"], { cursor })
      assert.deepEqual([at(second.entries), second.hasMore], [[3], true])
      const back = await kv.paginate(["d"], { reverse: true })
      assert.deepEqual([at(back.entries), back.hasMore], [[5], true])
    })

    test("is listed by its key, counted, overwritten and deleted", async () => {
      const names = []
      for await (const { key } of kv.list(["d"], { keysOnly: true })) names.push(key[1])
      assert.deepEqual(names, [0, 1, 2, 3, 4, 5])
      assert.equal(await kv.count(["d"]), 6)
      await kv.set(["d", 2], { n: 2 })
      assert.equal((await kv.delete(["d", 4])).deletedCount, 1)
      assert.deepEqual(at((await kv.paginate(["d"])).entries), [0, 1, 2, 3, 5])
    })
  })

describe("process: a damaged message", nodeOnly, () => {
  let folder
  let kv
  const ids = {}

  before(async () => {
    folder = tempFolder()
    const file = join(folder.path, "store.db")
    const first = new Kv(file)
    for (const name of ["a", "text", "comma", "tag", "odd", "schedule", "z"])
      ids[name] = (
        await first.enqueue(name, { backoffSchedule: [0], keysIfUndelivered: [["lost", name]] })
      ).id
    await first.close()
    const set = (name, what) => `UPDATE kv_queue SET ${what} WHERE id = '${ids[name]}'`
    await sql(
      file,
      set("text", `value = CAST('{"v":sekret' AS BLOB)`),
      set("comma", "value = CAST('1,2' AS BLOB)"),
      set("tag", `encoding = 1, value = CAST('{"__type":"bigint","value":"sekret"}' AS BLOB)`),
      set("odd", "encoding = 77"),
      set("schedule", "value = CAST('{' AS BLOB), backoff_schedule = 'x', keys_if_undelivered = 'x'"),
    )
    kv = new Kv(file)
  })

  after(async () => {
    await kv.close()
    folder.dispose()
  })

  // It would end the listener, and the messages beside it would come again.
  test("fails alone, and is a dead letter at once: another attempt would find the same", async () => {
    const listener = new Listener(kv, undefined, { concurrency: 10 })
    await counts(kv, { pending: 0, processing: 0, dlq: 5 })
    assert.deepEqual(listener.values.toSorted(), ["a", "z"])
    assert.equal(listener.subscription.closed, false)
    const reported = listener.errors.all.map(({ error, message }) => [
      error.code,
      message.value,
      message.attempts,
    ])
    assert.deepEqual(reported, Array(5).fill(["CORRUPT", undefined, 1]))
    await kv.enqueue("later")
    await listener.inbox.until(() => listener.values.includes("later"), "the listener goes on")
    await listener.stop()
  })

  test("is listed among the others, with its error and without a value", async () => {
    const good = await kv.enqueue("good", { backoffSchedule: [] })
    const listener = new Listener(kv, () => Promise.reject(new Error("mine")))
    await counts(kv, { pending: 0, processing: 0, dlq: 6 })
    await listener.stop()
    const letters = await kv.dlq.list()
    const of = (id) => letters.find(({ originalId }) => originalId === id)
    assert.deepEqual([of(good.id).value, of(good.id).errorMessage], ["good", "mine"])
    for (const name of ["text", "comma", "tag", "odd", "schedule"]) {
      const { id, value, errorMessage, attempts } = of(ids[name])
      assert.deepEqual([value, attempts], [undefined, 1], name)
      assert.match(errorMessage, /damaged/)
      assert.doesNotMatch(errorMessage, /sekret/)
      assert.deepEqual(await kv.dlq.get(id), of(ids[name]))
    }
    // Its keys get nothing that no read can use: a repair finds it in the dead letter.
    assert.equal((await kv.get(["lost", "text"])).versionstamp, null)
    assert.match(of(ids.text).errorMessage, /keysIfUndelivered/)
    assert.deepEqual(await kv.dlq.delete(of(ids.text).id), { ok: true })
    assert.equal((await kv.dlq.list()).length, 5)
  })
})
