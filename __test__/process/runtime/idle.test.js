import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, runOk, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const IDLE_MS = 3000

/** Doing nothing: the CPU time that it may take in `IDLE_MS`, and how often our threads may wake up. */
const NOTHING = { most: 30, mostWakeUps: 5 }
const WAITING = { most: 150, mostWakeUps: IDLE_MS / 10 }
const IDLE = {
  nothing: NOTHING,
  stopped: NOTHING,
  watch: WAITING,
  "a hundred watches": WAITING,
  listen: WAITING,
  changes: WAITING,
  "a consumer at its end": WAITING,
}

const argumentsOf = ({ scenario, most, mostWakeUps }, file) => [scenario, file, IDLE_MS, most, mostWakeUps]

/** Seen to fail: look for commits of others every 2 ms; look on after the last one has stopped. */
describe("process: idle", nodeOnly, () => {
  test(`${IDLE_MS} ms of nothing take no time`, { timeout: 600_000 }, async (t) => {
    const folder = tempFolder()
    try {
      const cases = Object.entries(IDLE).flatMap(([scenario, limits]) =>
        runtimes.map((runtime) => ({ scenario, runtime, ...limits })),
      )
      const measured = await Promise.all(
        cases.map(async (one, at) => ({
          ...one,
          ...(await runOk(one.runtime, "runtime/idle.js", argumentsOf(one, join(folder.path, `${at}.db`)))),
        })),
      )
      for (const { scenario, runtime, ms, wakeUps, windows } of measured)
        t.diagnostic(`${runtime}, ${scenario}: ${ms.toFixed(0)} ms, ${wakeUps} wake-ups, window ${windows}`)
      for (const { scenario, runtime, ms, most, wakeUps, mostWakeUps } of measured) {
        assert.ok(ms < most, `${runtime}, ${scenario}: ${ms} ms of CPU in ${IDLE_MS} ms`)
        assert.ok(wakeUps <= mostWakeUps, `${runtime}, ${scenario}: ${wakeUps} wake-ups in ${IDLE_MS} ms`)
      }
    } finally {
      folder.dispose()
    }
  })
})
