import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, root, run } from "../../support/runtimes.js"

const SECONDS = 4

/**
 * A short run of `npm run soak`, so that the command stays whole. Seen to fail: with a COMMIT that is now and
 * then a ROLLBACK; with checks that always hold.
 */
describe("process: soak", nodeOnly, () => {
  test(`${SECONDS} seconds of kills`, { timeout: 600_000 }, async () => {
    const soak = join(root, "scripts/soak.mjs")
    const { code, stdout, stderr } = await run("node", soak, [SECONDS], { timeoutMs: 580_000 })
    assert.equal(code, 0, stdout + stderr)
    assert.match(stdout, /kills, [1-9]\d* acknowledged, lost 0, torn 0, sums 0/)
  })
})
