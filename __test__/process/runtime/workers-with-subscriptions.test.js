import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, run, runtimes, sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

/** Scenario of `children/runtime/workers-with-subscriptions.js`, and what it prints. */
const SCENARIOS = {
  "workers are terminated while they are told": "drained",
  "busy workers are terminated": "drained",
  "a worker that is terminated at once": "closed",
  "the main thread is told while workers come and go": [4, 5],
  "a worker without a main store is terminated, and another comes": "drained",
  "a worker ends when its subscriptions are stopped": ["alive", 0],
  "a worker ends when its store is closed": ["alive", 0],
  "process.exit in a worker's handler": "drained",
  "the main thread closes first": "closed",
  "process.exit while workers are told": "exits",
}

/** Law 10 in worker threads that watch and listen. Seen to fail: extend the leases of a thread that is gone. */
describe("process: worker threads with watches and listeners", { ...nodeOnly, concurrency: 2 }, () => {
  for (const runtime of runtimes) {
    for (const [scenario, expected] of Object.entries(SCENARIOS)) {
      test(`${runtime}: ${scenario}`, { timeout: 600_000 }, async () => {
        const folder = tempFolder()
        const file = join(folder.path, "store.db")
        try {
          const ended = await run(runtime, "runtime/workers-with-subscriptions.js", [scenario, file], {
            timeoutMs: 120_000,
          })
          const story = `${ended.stdout}${ended.stderr}`
          assert.equal(ended.signal, null, `ended by ${ended.signal}: ${story}`)
          assert.equal(ended.code, 0, story)
          assert.deepEqual(JSON.parse(ended.stdout.trim().split("\n").at(-1)), expected)
          assert.deepEqual(await sql(file, "PRAGMA integrity_check"), [[{ integrity_check: "ok" }]])
        } finally {
          folder.dispose()
        }
      })
    }
  }
})
