import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, run, runtimes, soon, sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const AT_ONCE_MS = 10_000

/** Scenario of `children/subscriptions/exit.js`: [exit code, what it prints last]. */
const ENDS = {
  "a watch keeps it alive until stop": [0, false],
  "a listener keeps it alive until stop": [0, false],
  "they keep it alive until close": [0, [true, true]],
  "one of two is stopped, and the other keeps it alive": [0, [true, false]],
  "the loop of a watch": [0, 1],
  "a loop that is left": [0, 1],
  "live changes keep it alive while they wait": [0, [1, 2]],
  "live changes that nobody waits for": [0],
  using: [0, [true, true]],
  "a close that nobody awaits": [0],
  "process.exit in a handler": [0],
  "process.exit in a callback": [0],
  "process.exit in a loop of changes": [0],
  "process.exit while they are called": [0],
  "an error that nobody catches, beside them": [1],
  "forgotten and collected, it is still called": [0, [1, 2]],
  "two on one file, one is closed": [0, true],
  "a thousand begun and stopped": [0, "stopped"],
  "a lock that nobody gives back": [0, true],
}

/** The same of `children/subscriptions/close.js`. */
const CLOSES = {
  "close ends all iterators": [0, [true, true, true, true]],
  "close while handlers run": [
    0,
    { closed: true, later: ["CLOSED"], total: 20, after: { pending: 0, processing: 0, dlq: 0, total: 0 } },
  ],
  "close while a callback runs": [0, { before: false, calls: 1 }],
  "callbacks that never end, and close": [0, "closed"],
  "callbacks that never end, and stop": [0, "stopped"],
  "close while claims are in flight": [0, { whole: true, dlq: 0, late: 0 }],
  "stop while claims are in flight": [0, { twice: 0, late: 0 }],
  "stop in the first of many handlers": [0, { first: 1, all: 10, attempts: 1 }],
  "close in a handler": [0, true],
  "close in a callback": [0, true],
  "stop in a handler and in a callback": [0, { calls: 1, handled: 1, total: 9 }],
}

/** The same of `children/subscriptions/throw.js`. */
const THROWS = {
  "handlers that throw anything": [
    0,
    { dead: true, texts: true, error: "an error", text: "text", cut: true, times: [2] },
  ],
  "callbacks that throw anything": [0, { all: true }],
  "onError that throws": [0, "went on"],
}

const PROGRAMS = {
  "subscriptions/exit.js": ENDS,
  "subscriptions/close.js": CLOSES,
  "subscriptions/throw.js": THROWS,
}

/**
 * Law 10 with what lives on: a process ends by itself when nothing does, at once and without a signal. Seen
 * to fail: keep what was claimed when a listener is stopped, or handle it; hold the process for a handler
 * that never ends; end a listener over an error whose message is no text; leave a rejected `onError` alone.
 */
describe("process: exits with watches and listeners", { ...nodeOnly, concurrency: 2 }, () => {
  for (const runtime of runtimes) {
    const cases = Object.entries(PROGRAMS).flatMap(([program, ends]) =>
      Object.entries(ends).map(([scenario, [code, says]]) => ({ program, scenario, code, says })),
    )
    for (const { program, scenario, code, says } of cases) {
      const once = async () => {
        const folder = tempFolder()
        const file = join(folder.path, "store.db")
        try {
          const flags = runtime === "node" ? ["--expose-gc"] : []
          const ended = await run(runtime, program, [scenario, file], { flags })
          const story = `${ended.stdout}${ended.stderr}`
          assert.equal(ended.signal, null, `ended by ${ended.signal}: ${story}`)
          assert.equal(ended.code, code, story)
          if (says !== undefined)
            assert.deepEqual(JSON.parse(ended.stdout.trim().split("\n").at(-1)), says, story)
          assert.doesNotMatch(ended.stderr, /unhandled|panicked/i)
          assert.deepEqual(await sql(file, "PRAGMA integrity_check"), [[{ integrity_check: "ok" }]])
          return ended.ms
        } finally {
          folder.dispose()
        }
      }
      test(`${runtime}: ${scenario}`, { timeout: 600_000 }, () => soon(AT_ONCE_MS, once))
    }
  }
})
