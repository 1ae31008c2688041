import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, run, runtimes, sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

/**
 * Law 10 in worker threads. Seen to fail: keep the completions of a thread in a static of the addon, so that
 * those of a terminated worker are called into a runtime that is gone.
 */
const CALLS = {
  title: "worker threads",
  program: "runtime/workers.js",
  scenarios: {
    "both threads write": "600",
    "a worker is terminated while its calls are pending": "1200",
    "a worker that is terminated at once": "5",
    "a worker alone, and another after it": "600",
    "a worker alone is terminated, and another comes": "200",
    "an idle Kv holds no worker": ["idle", 0],
    "a worker ends when its pending calls are done": 500,
    "the main thread closes first": "250",
    "process.exit while a worker writes": "exits",
  },
}

/** The same of threads that watch and listen. Seen to fail: extend the leases of a thread that is gone. */
const SUBSCRIPTIONS = {
  title: "worker threads with watches and listeners",
  program: "subscriptions/workers.js",
  options: { concurrency: 2 },
  scenarios: {
    "workers are terminated while they are called": "drained",
    "busy workers are terminated": "drained",
    "a worker that is terminated at once": "closed",
    "the main thread is called while workers come and go": [4, 5],
    "a worker without a main store is terminated, and another comes": "drained",
    "a worker ends when its subscriptions are stopped": ["alive", 0],
    "a worker ends when its store is closed": ["alive", 0],
    "process.exit in a worker's handler": "drained",
    "the main thread closes first": "closed",
    "process.exit while workers are called": "exits",
  },
}

for (const { title, program, scenarios, options } of [CALLS, SUBSCRIPTIONS]) {
  describe(`process: ${title}`, { ...nodeOnly, ...options }, () => {
    for (const runtime of runtimes) {
      for (const [scenario, expected] of Object.entries(scenarios)) {
        test(`${runtime}: ${scenario}`, { timeout: 600_000 }, async () => {
          const folder = tempFolder()
          const file = join(folder.path, "store.db")
          try {
            const ended = await run(runtime, program, [scenario, file], { timeoutMs: 120_000 })
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
}
