import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { nodeOnly, runOk, sql } from "../support/runtimes.js"
import { tempFolder } from "../support/targets.js"

const ROUNDS = Number(process.env.KEYVAL_ROUNDS ?? 300)
const QUARTER = Math.ceil(ROUNDS / 4)
const PROCESSES = ["node", "bun", "node", "bun"]
const ACCOUNTS = 8

async function prepare(file) {
  const kv = new Kv(file)
  const accounts = Array.from({ length: ACCOUNTS }, (_, at) => ({ key: ["account", at], value: 1000 }))
  await kv.setMany([...accounts, { key: ["cas"], value: 0 }])
  await kv.close()
}

async function sums(file) {
  const kv = new Kv(file)
  const accounts = (await kv.paginate(["account"])).entries
  const [counter, transfers, cas, list] = await kv.getMany([["counter"], ["transfers"], ["cas"], ["list"]])
  await kv.close()
  return {
    money: accounts.reduce((sum, { value }) => sum + value, 0),
    counter: counter.value,
    transfers: transfers.value,
    cas: cas.value,
    list: list.value,
  }
}

/** The stamps of the log in the order of its rows: rows of one commit together, each commit larger than the last. */
function assertIncreasing(rows) {
  for (let at = 1; at < rows.length; at++) {
    const [before, after] = [rows[at - 1].versionstamp, rows[at].versionstamp]
    assert.ok(before <= after, `row ${at}: ${before} before ${after}`)
  }
}

/** How often the commits go from one process to another, in the order of their stamps. */
function turns(results) {
  const commits = results.flatMap(({ stamps }, process) => stamps.map((stamp) => ({ stamp, process })))
  commits.sort((a, b) => (a.stamp < b.stamp ? -1 : 1))
  return commits.filter(({ process }, at) => at > 0 && commits[at - 1].process !== process).length
}

/**
 * Law 3: four processes on one file. Seen to fail: BEGIN instead of BEGIN IMMEDIATE with the checks read before it;
 * or issue the versionstamp outside of the write transaction.
 */
describe("process: contention", nodeOnly, () => {
  test("four processes lose no update, keep every sum and issue growing stamps", {
    timeout: 180_000,
  }, async () => {
    const folder = tempFolder()
    const file = join(folder.path, "store.db")
    try {
      await prepare(file)
      // A busy machine takes more than a second to start four processes.
      const startAt = Date.now() + 2500
      const started = PROCESSES.map((runtime, at) =>
        runOk(runtime, "contender.js", [file, `p${at}`, ROUNDS, startAt], { timeoutMs: 150_000 }),
      )
      const results = await Promise.all(started)
      const { money, counter, transfers, cas, list } = await sums(file)
      assert.equal(money, ACCOUNTS * 1000)
      assert.equal(counter, BigInt(4 * 8 * ROUNDS))
      assert.equal(transfers, BigInt(4 * 2 * QUARTER))
      assert.equal(cas, 4 * 2 * QUARTER)
      assert.equal(new Set(list).size, 4 * 2 * QUARTER)
      assert.equal(list.length, 4 * 2 * QUARTER)

      const stamps = results.flatMap((result) => result.stamps)
      assert.equal(stamps.length, 4 * (8 * ROUNDS + 6 * QUARTER))
      assert.equal(new Set(stamps).size, stamps.length, "a versionstamp was issued twice")
      // One after the other would be three turns.
      assert.ok(turns(results) >= 8, `the processes took ${turns(results)} turns: they did not meet`)
      const [rows, integrity] = await sql(
        file,
        "SELECT seq, versionstamp FROM kv_changes ORDER BY seq",
        "PRAGMA integrity_check",
      )
      assertIncreasing(rows)
      const logged = new Set(rows.map(({ versionstamp }) => versionstamp))
      assert.deepEqual(
        stamps.filter((stamp) => !logged.has(stamp)),
        [],
      )
      assert.deepEqual(integrity, [{ integrity_check: "ok" }])
    } finally {
      folder.dispose()
    }
  })
})
