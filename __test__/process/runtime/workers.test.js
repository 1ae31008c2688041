import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, run, runtimes, sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

/** Scenario of `children/runtime/workers.js`, and what it prints. */
const SCENARIOS = {
  "both threads write": "600",
  "a worker is terminated while its calls are pending": "1200",
  "a worker that is terminated at once": "5",
  "a worker alone, and another after it": "600",
  "a worker alone is terminated, and another comes": "200",
  "an idle Kv holds no worker": ["idle", 0],
  "a worker ends when its pending calls are done": 500,
  "the main thread closes first": "250",
  "process.exit while a worker writes": "exits",
}

/**
 * Law 10 in worker threads. Seen to fail: keep the completions of a thread in a static of the addon, so that those of a
 * terminated worker are called into a runtime that is gone.
 */
describe("process: worker threads", nodeOnly, () => {
  for (const runtime of runtimes) {
    for (const [scenario, expected] of Object.entries(SCENARIOS)) {
      test(`${runtime}: ${scenario}`, { timeout: 600_000 }, async () => {
        const folder = tempFolder()
        const file = join(folder.path, "store.db")
        try {
          const ended = await run(runtime, "runtime/workers.js", [scenario, file], { timeoutMs: 120_000 })
          const story = `${ended.stdout}${ended.stderr}`
          assert.equal(ended.signal, null, `ended by ${ended.signal}: ${story}`)
          assert.equal(ended.code, 0, story)
          assert.deepEqual(JSON.parse(ended.stdout.trim().split("\n").at(-1)), expected)
          const [integrity] = await sql(file, "PRAGMA integrity_check")
          assert.deepEqual(integrity, [{ integrity_check: "ok" }])
        } finally {
          folder.dispose()
        }
      })
    }
  }
})
