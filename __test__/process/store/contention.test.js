import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { Crew } from "../../support/crew.js"
import { nodeOnly, sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const WAVES = Number(process.env.KEYVAL_WAVES ?? 10)
const ROUNDS = 25
const PROCESSES = ["node", "bun", "node", "bun"]
const ACCOUNTS = 8
/**
 * How often a wave's commits must have gone from one process to another while others had more to do, in all.
 */
const MEETINGS = 20
const TIMEOUT_MS = 120_000

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

/**
 * The stamps of the log in the order of its rows: rows of one commit together, each commit larger than the
 * last.
 */
function assertIncreasing(rows) {
  for (let at = 1; at < rows.length; at++) {
    const [before, after] = [rows[at - 1].versionstamp, rows[at].versionstamp]
    assert.ok(before <= after, `row ${at}: ${before} before ${after}`)
  }
}

/**
 * How often the commits of a wave go from one process to another, beyond what they would do one after the
 * other.
 */
function meetings(wave) {
  const commits = wave.flatMap((stamps, process) => stamps.map((stamp) => ({ stamp, process })))
  commits.sort((a, b) => (a.stamp < b.stamp ? -1 : 1))
  const turns = commits.filter(({ process }, at) => at > 0 && commits[at - 1].process !== process).length
  return turns - (PROCESSES.length - 1)
}

/**
 * Waves that all processes begin together, until they have met often enough: how soon that is, a machine
 * decides.
 */
async function contend(crew, file) {
  const members = PROCESSES.map((runtime, at) =>
    crew.launch(runtime, "store/contender.js", [file, `p${at}`, ROUNDS]),
  )
  await Promise.all(members.map((member) => member.says(/ready/)))
  const [waves, began] = [[], performance.now()]
  let met = 0
  while (waves.length < WAVES || met < MEETINGS) {
    assert.ok(
      performance.now() - began < TIMEOUT_MS,
      `${waves.length} waves, and the processes met ${met} times`,
    )
    const lines = await Promise.all(members.map((member) => member.ask("wave", /^\[/)))
    waves.push(lines.map((line) => JSON.parse(line)))
    met += meetings(waves.at(-1))
  }
  await Promise.all(members.map((member) => member.end()))
  return { waves, met }
}

/**
 * Law 3: four processes on one file. Seen to fail: BEGIN instead of BEGIN IMMEDIATE with the checks read
 * before it; or issue the versionstamp outside of the write transaction.
 */
describe("process: contention", nodeOnly, () => {
  test("four processes lose no update, keep every sum and issue growing stamps", {
    timeout: 600_000,
  }, async (t) => {
    const folder = tempFolder()
    const crew = new Crew()
    const file = join(folder.path, "store.db")
    try {
      await prepare(file)
      const { waves, met } = await contend(crew, file)
      t.diagnostic(`${waves.length} waves, met ${met} times`)
      const { money, counter, transfers, cas, list } = await sums(file)
      const each = waves.length * PROCESSES.length * ROUNDS
      assert.equal(money, ACCOUNTS * 1000)
      assert.equal(counter, BigInt(8 * each))
      assert.equal(transfers, BigInt(2 * each))
      assert.equal(cas, 2 * each)
      assert.equal(new Set(list).size, 2 * each)
      assert.equal(list.length, 2 * each)

      const stamps = waves.flat(2)
      assert.equal(stamps.length, 14 * each)
      assert.equal(new Set(stamps).size, stamps.length, "a versionstamp was issued twice")
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
      await crew.dismiss()
      folder.dispose()
    }
  })
})
