import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { collect } from "../../support/assert.js"
import { withCrew } from "../../support/crew.js"
import { foundSorted, orphans } from "../../support/full-text.js"
import { nodeOnly, runtimes, sql } from "../../support/runtimes.js"

const DOCUMENTS = 3000

const hex = (text) => Buffer.from(text).toString("hex")

/** A row as another program writes it, past the store. */
function insert(name, bytes, encoding = 0) {
  const key = `02740002${hex(name)}00`
  return `INSERT INTO kv_entries (key, versionstamp, encoding, value) SELECT x'${key}', value, ${encoding}, x'${bytes}' FROM kv_meta WHERE key = 'clock'`
}

describe("process: search", nodeOnly, () => {
  for (const runtime of runtimes)
    test(`a process of ${runtime} that was open before keeps the index, and asks it`, () =>
      withCrew(async ({ crew, kv, file }) => {
        const hand = crew.launch(runtime, "indexes/search.js", [file])
        await hand.says(/^ready$/)
        assert.equal(await hand.ask("find apple", /^(found|failed)/), "failed INVALID_ARGUMENT")
        await hand.ask("set early an apple", /^done$/)
        await kv.createIndex(["t"], { fields: ["text"] })
        await hand.ask("set late another apple", /^done$/)
        assert.deepEqual(await foundSorted(kv, ["t"], "apple"), ["early", "late"])
        await hand.ask("delete early", /^done$/)
        await hand.ask("set late a pear", /^done$/)
        await kv.set(["t", "here"], { text: "pears and a pear" })
        assert.deepEqual(await foundSorted(kv, ["t"], "apple"), [])
        assert.equal(await hand.ask("find pear", /^(found|failed)/), "found here late")
        await kv.createIndex(["t"], { fields: ["text"], tokenize: "porter" })
        await hand.ask("set late running", /^done$/)
        assert.equal(await hand.ask("find runs", /^(found|failed)/), "found late")
        assert.deepEqual(await orphans(file), [])
        await kv.removeIndex(["t"])
        await hand.ask("set late on", /^done$/)
        await hand.end()
      }))

  // Seen to fail: without json_valid in the triggers.
  test("values that are damaged stop no write, no index and no search", () =>
    withCrew(async ({ kv, file }) => {
      const damaged = [
        "7b",
        "",
        "ff00ff",
        hex('{"text":"apple"'),
        hex("{'text':1}"),
        hex('{"text":"fig"}\0rest'),
        "7b7d00",
      ]
      const deep = hex("[".repeat(5000))
      const rows = [...damaged, deep].flatMap((bytes, at) => [
        insert(`a${at}`, bytes, 0),
        insert(`b${at}`, bytes, 1),
      ])
      await kv.set(["t", "good"], { text: "apple" })
      await sql(file, ...rows.slice(0, 8))
      await kv.createIndex(["t"], { fields: ["text", "list[0]"] })
      await sql(file, ...rows.slice(8))
      assert.deepEqual(await orphans(file), [])
      await sql(file, `UPDATE kv_entries SET value = x'7b' WHERE encoding = 1`)
      assert.ok((await foundSorted(kv, ["t"], "apple")).includes("good"))
      for (let at = 0; at < rows.length / 2; at++) {
        await kv.set(["t", `a${at}`], { text: "pear" })
        await kv.delete(["t", `b${at}`])
      }
      assert.equal((await foundSorted(kv, ["t"], "pear")).length, rows.length / 2)
      assert.deepEqual(await orphans(file), [])
    }))

  for (const [name, copy] of Object.entries({
    "VACUUM INTO": async (kv, file, path) => {
      await sql(file, `VACUUM INTO '${path}'`)
      await kv.close()
    },
    VACUUM: async (kv, file) => {
      await kv.close()
      await sql(file, "VACUUM")
    },
  }))
    test(`after ${name} by another program each word still leads to its entry`, () =>
      withCrew(async ({ kv, file, folder }) => {
        await kv.createIndex(["t"], { fields: ["text"] })
        const document = (at) => ({ key: ["t", at], value: { text: `word${at} common` } })
        await kv.setMany(Array.from({ length: DOCUMENTS }, (_, at) => document(at)))
        // Holes in the numbers of rows, and rows out of the order of keys.
        for (let at = 0; at < DOCUMENTS; at += 3) await kv.delete(["t", at])
        await kv.setMany([6, 3, 0].map(document))
        const path = join(folder, "copy.db")
        await copy(kv, file, path)
        const after = name === "VACUUM" ? file : path
        const other = new Kv(after, { sweepInterval: 0 })
        for (let at = 0; at < DOCUMENTS; at += 50) {
          const entries = await collect(other.search(["t"], `word${at}`))
          assert.deepEqual(
            entries.map(({ key }) => key[1]),
            at % 3 === 0 && at > 6 ? [] : [at],
          )
        }
        await other.delete(["t", 1])
        await other.close()
        assert.deepEqual(await orphans(after), [])
      }))
})
