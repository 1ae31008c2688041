// Values that another program has put into a file, nested far deeper than any that KeyVal accepts: each call that shows one says
// CORRUPT, none hangs or ends the process, and what is beside it stays readable.
import assert from "node:assert/strict"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { collect, keysOf, refused } from "./support/assert.js"
import { sql } from "./support/runtimes.js"
import { tempFolder } from "./support/targets.js"

const LEVELS = 200_000
const NESTED = {
  arrays: [
    "replace(hex(zeroblob(LEVELS / 2)), '0', '[')",
    "1",
    "replace(hex(zeroblob(LEVELS / 2)), '0', ']')",
  ],
  objects: [
    `replace(hex(zeroblob(LEVELS / 2)), '0', '{"x":')`,
    "1",
    "replace(hex(zeroblob(LEVELS / 2)), '0', '}')",
  ],
}

for (const [name, parts] of Object.entries(NESTED))
  for (const encoding of [0, 1])
    describe(`planted: ${name} nested ${LEVELS} deep, encoding ${encoding}`, () => {
      const deep = ["a", "deep"]
      const text = parts.join(" || ").replaceAll("LEVELS", LEVELS)
      const planted = `value = CAST(${text} AS BLOB), encoding = ${encoding}`
      let folder
      let kv

      before(async () => {
        folder = tempFolder()
        const file = join(folder.path, "store.db")
        const first = new Kv(file)
        await first.set(deep, 1)
        await first.set(["a", "good"], { x: 1, text: "word" })
        await first.enqueue(1, { queue: "jobs", backoffSchedule: [] })
        await first.close()
        await sql(
          file,
          `UPDATE kv_entries SET ${planted} WHERE value = CAST('1' AS BLOB)`,
          `UPDATE kv_changes SET ${planted}`,
          `UPDATE kv_queue SET ${planted}`,
        )
        kv = new Kv(file)
      })

      after(async () => {
        await kv.close()
        folder.dispose()
      })

      // Seen to fail, with encoding 0: all but the transaction gave the value, which overflows the stack of whoever walks it.
      test("reads of it are CORRUPT", async () => {
        await refused(() => kv.get(deep), "CORRUPT")
        await refused(() => kv.getMany([["a", "good"], deep]), "CORRUPT")
        await refused(() => collect(kv.list(["a"])), "CORRUPT")
        await refused(() => kv.transaction((tx) => tx.get(deep)), "CORRUPT")
        await refused(() => collect(kv.changes({ live: false })), "CORRUPT")
        const error = await new Promise((resolve) => {
          const watch = kv.watch([deep], () => {}, { onError: resolve })
          watch.finished?.catch(resolve)
        })
        assert.equal(error.code, "CORRUPT")
      })

      test("filters, indexes and backups pass it by", async () => {
        const found = [["a", "good"]]
        assert.deepEqual(await keysOf(kv, ["a"], { where: { x: 1 } }), found)
        await kv.createIndex(["a"], { fields: ["x", "text"] })
        await kv.createIndex(["a"], { on: ["x"], unique: true })
        assert.deepEqual(await keysOf(kv, ["a"], { where: { x: 1 } }), found)
        const words = await collect(kv.search(["a"], "word"))
        assert.deepEqual(
          words.map(({ key }) => key),
          found,
        )
        await kv.backup(join(folder.path, "backup.db"))
      })

      test("a message with it becomes a dead letter", async () => {
        const listener = kv.listenQueue(() => assert.fail("handled"), { queue: "jobs", onError() {} })
        while ((await kv.queueStats("jobs")).dlq === 0) await new Promise((next) => setTimeout(next, 5))
        listener.stop()
        await listener.finished
        const [letter] = await kv.dlq.list()
        assert.match(letter.errorMessage, /damaged/)
        assert.equal((await kv.dlq.requeue(letter.id)).ok, true)
      })

      test("an append, a patch and a counter end, and a set puts another value in its place", async () => {
        const changes = [
          (commit) => commit.append(deep, [1]),
          (commit) => commit.patch(deep, { x: { x: { y: 1 } } }),
          (commit) => commit.sum(deep, 1n),
        ]
        for (const change of changes)
          await change(kv.atomic())
            .commit()
            .catch(({ code }) => assert.ok(code))
        await kv.set(deep, "mended")
        assert.equal((await kv.get(deep)).value, "mended")
      })
    })
