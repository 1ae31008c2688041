import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, runOk, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const OPERATIONS = Number(process.env.KEYVAL_OPERATIONS ?? 20_000)
/** What was written between the two looks is 1 KB an operation. */
const ALLOWED_BYTES = 12 * 1024 * 1024
/** An allocator may keep more once; what is lost is lost in each of these. */
const ROUNDS = 3
const SCENARIOS = ["a slow watch", "a watch that is stuck", "iterators that nobody reads on", "a listener"]

/**
 * Law 10: memory is flat, however slow a subscriber is. Seen to fail: keep what a watch received, or 1 KB of
 * each commit.
 */
describe("process: memory of what lives on", { ...nodeOnly, concurrency: 2 }, () => {
  for (const runtime of runtimes) {
    for (const scenario of SCENARIOS) {
      test(`${runtime}: ${scenario}, ${OPERATIONS} operations of 1 KB`, { timeout: 600_000 }, async (t) => {
        const folder = tempFolder()
        try {
          const flags = runtime === "node" ? ["--expose-gc", "--max-semi-space-size=2"] : []
          const args = [scenario, join(folder.path, "store.db"), OPERATIONS, ALLOWED_BYTES, ROUNDS]
          const { before, after, received } = await runOk(runtime, "subscriptions/memory.js", args, {
            flags,
            timeoutMs: 580_000,
          })
          const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
          t.diagnostic(`${mib(before)} to ${mib(after)}; ${JSON.stringify(received)}`)
          assert.ok(
            after - before < ALLOWED_BYTES,
            `rss grew from ${mib(before)} to ${mib(after)}, in each round`,
          )
        } finally {
          folder.dispose()
        }
      })
    }
  }
})
