import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Random } from "../../support/random.js"
import { nodeOnly, runOk, runtimes, sql, start } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const KILLS = Number(process.env.KEYVAL_KILLS ?? 10)
const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const CHAINS = 4

/**
 * Starts a writer, lets it run after so many lines of its own, and kills it; gives the last acknowledgement
 * of each of its chains.
 */
async function killed(runtime, file, round, { lines, runMs }) {
  const { child, ended, said } = start(runtime, "store/crash-writer.js", [file, round, CHAINS])
  const ready = new Promise((resolve) => {
    child.stdout.on("data", () => said.stdout.split("\n").length > lines && resolve())
  })
  await Promise.race([ready, ended])
  await new Promise((resolve) => setTimeout(resolve, runMs))
  child.kill("SIGKILL")
  const { signal, stdout, stderr } = await ended
  assert.equal(signal, "SIGKILL", `the writer ended by itself: ${stderr}`)
  const complete = stdout.slice(0, stdout.lastIndexOf("\n")).split("\n").slice(1)
  const last = new Map()
  for (const line of complete) {
    const [kind, chain, n] = line.split(" ")
    last.set(`${kind} ${chain}`, { round, kind, chain, last: Number(n) })
  }
  return [...last.values()]
}

/**
 * Law 1: what was acknowledged survives `kill -9`, every commit is whole, the file is sound.
 * Seen to fail: answer a group before its COMMIT; or commit each operation of an atomic by itself.
 */
describe(`process: crash (KEYVAL_SEED=${SEED})`, nodeOnly, () => {
  test(`${KILLS} kills`, { timeout: 600_000 + KILLS * 10_000 }, async () => {
    const random = new Random(SEED)
    const folder = tempFolder()
    const [file, notes] = ["store.db", "acknowledged.json"].map((name) => join(folder.path, name))
    const acknowledged = []
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        const writer = runtimes[kill % 2]
        // The first line is "ready"; most are killed when they have acknowledged something, some as they
        // begin.
        const lines = [2, 20, 2, 1][kill % 4]
        const reported = await killed(writer, file, `r${kill}`, { lines, runMs: 20 + random.int(500) })
        assert.ok(lines === 1 || reported.length > 0, "the writer was killed before it wrote anything")
        acknowledged.push(...reported)
        writeFileSync(notes, JSON.stringify(acknowledged))
        const reader = runtimes[Math.floor(kill / 2) % 2]
        const { wrong } = await runOk(reader, "store/crash-reader.js", [file, notes], { timeoutMs: 120_000 })
        assert.deepEqual(wrong, [], `after kill ${kill} of ${writer}, read by ${reader}`)
        const [integrity] = await sql(file, "PRAGMA integrity_check")
        assert.deepEqual(integrity, [{ integrity_check: "ok" }])
      }
    } finally {
      folder.dispose()
    }
  })
})
