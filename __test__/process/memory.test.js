import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, runOk, runtimes } from "../support/runtimes.js"
import { tempFolder } from "../support/targets.js"

const WARM_UP = 100_000
const OPERATIONS = Number(process.env.KEYVAL_OPERATIONS ?? 300_000)
const ALLOWED_BYTES = 64 * 1024 * 1024

/** Law 10: memory is flat. Seen to fail: keep every completion's deferred in a list that is never emptied. */
describe("process: memory", nodeOnly, () => {
  for (const runtime of runtimes) {
    test(`${runtime}: ${OPERATIONS} operations after a warm-up`, { timeout: 300_000 }, async () => {
      const folder = tempFolder()
      try {
        const flags = runtime === "node" ? ["--expose-gc"] : []
        const args = [join(folder.path, "store.db"), WARM_UP, OPERATIONS]
        const { before, after } = await runOk(runtime, "memory.js", args, { flags, timeoutMs: 280_000 })
        const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
        assert.ok(after - before < ALLOWED_BYTES, `rss grew from ${mib(before)} to ${mib(after)}`)
      } finally {
        folder.dispose()
      }
    })
  }
})
