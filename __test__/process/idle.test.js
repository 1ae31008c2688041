import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, runOk, runtimes } from "../support/runtimes.js"
import { tempFolder } from "../support/targets.js"

const IDLE_MS = 3000

/** Doing nothing, and the CPU time that it may take in `IDLE_MS`. */
const IDLE = {
  nothing: 30,
  stopped: 30,
  watch: 150,
  "a hundred watches": 150,
  listen: 150,
  changes: 150,
  "a consumer at its end": 150,
}

describe("process: idle", nodeOnly, () => {
  test(`${IDLE_MS} ms of nothing take no time`, { timeout: 180_000 }, async (t) => {
    const folder = tempFolder()
    try {
      const cases = Object.entries(IDLE).flatMap(([scenario, most]) =>
        runtimes.map((runtime) => ({ scenario, most, runtime })),
      )
      const measured = await Promise.all(
        cases.map(async (one, at) => ({
          ...one,
          ms: await runOk(one.runtime, "idle.js", [one.scenario, join(folder.path, `${at}.db`), IDLE_MS], {
            timeoutMs: 120_000,
          }),
        })),
      )
      for (const { scenario, runtime, ms } of measured)
        t.diagnostic(`${runtime}, ${scenario}: ${ms.toFixed(0)} ms`)
      for (const { scenario, runtime, ms, most } of measured)
        assert.ok(ms < most, `${runtime}, ${scenario}: ${ms} ms of CPU in ${IDLE_MS} ms`)
    } finally {
      folder.dispose()
    }
  })
})
