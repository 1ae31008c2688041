import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, runOk, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const WARM_UP = 50_000
const OPERATIONS = Number(process.env.KEYVAL_OPERATIONS ?? 100_000)
/** Of 100,000 operations; seen without a fault: 2 to 5 MiB. */
const ALLOWED_BYTES = 24 * 1024 * 1024
/** An allocator may keep more once; what is lost is lost in each of these. */
const ROUNDS = 3

/**
 * Law 10: memory is flat. Seen to fail: keep every completion's deferred in a list that is never emptied (56
 * to 66 MiB).
 */
describe("process: memory", nodeOnly, () => {
  for (const runtime of runtimes) {
    test(`${runtime}: ${OPERATIONS} operations after a warm-up`, { timeout: 600_000 }, async () => {
      const folder = tempFolder()
      try {
        const flags = runtime === "node" ? ["--expose-gc"] : []
        const args = [join(folder.path, "store.db"), WARM_UP, OPERATIONS, ALLOWED_BYTES, ROUNDS]
        const { before, after } = await runOk(runtime, "runtime/memory.js", args, {
          flags,
          timeoutMs: 580_000,
        })
        const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
        assert.ok(
          after - before < ALLOWED_BYTES,
          `rss grew from ${mib(before)} to ${mib(after)}, in each round`,
        )
      } finally {
        folder.dispose()
      }
    })
  }
})
