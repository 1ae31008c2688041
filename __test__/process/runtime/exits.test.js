import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { nodeOnly, run, runtimes, soon, sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const AT_ONCE_MS = 5000

async function inspect(file, look) {
  const kv = new Kv(file)
  try {
    return await look(kv)
  } finally {
    await kv.close()
  }
}

async function isSound(file) {
  const [integrity] = await sql(file, "PRAGMA integrity_check")
  assert.deepEqual(integrity, [{ integrity_check: "ok" }])
}

const pendingIsThere = (file) => inspect(file, async (kv) => assert.equal(await kv.count(["pending"]), 500))
const sumIs = (sum) => (file) => inspect(file, async (kv) => assert.equal((await kv.get(["sum"])).value, sum))

/**
 * Scenario of `children/runtime/exits.js`: [exit code, what must hold of the file, what must hold of the
 * printed JSON].
 */
const ENDS = {
  idle: [0, isSound],
  neverUsed: [0],
  inMemory: [0],
  "idle with a fast sweep": [0],
  "an iterator half read": [0],
  "pending calls": [
    0,
    (file) =>
      inspect(file, async (kv) => {
        assert.equal(await kv.count(["pending"]), 500)
        assert.equal(await kv.count(["many"]), 2500)
        assert.equal((await kv.get(["sum"])).value, 5n)
      }),
  ],
  "pending calls and a close that is not awaited": [0, pendingIsThere],
  "process.exit with pending calls": [0, isSound],
  "process.exit while calls are answered": [0, isSound],
  "process.exit in a callback of ours": [0, isSound],
  "process.exit while it closes": [0, isSound],
  "an error that nobody catches": [1, isSound],
  "a rejection that nobody catches": [1, isSound],
  "opened and closed twice": [0, sumIs(2n)],
  "opened twice at once": [0, sumIs(3n)],
  "opened again before the close is done": [0, sumIs(20n)],
  "forgotten and collected": [0, isSound, (said) => assert.equal(said, "50")],
  "no handles after close": [
    0,
    isSound,
    ({ during, after }) => {
      if (after === null) return
      assert.ok(during > 0, "the test does not see the file's handles")
      assert.deepEqual(after, [])
    },
  ],
  "deleted and created again": [0, undefined, (said) => assert.deepEqual(said, [0, 0, 0])],
  "one file under two names": [
    0,
    isSound,
    ({ seen, after }) => {
      assert.deepEqual(seen, ["6", "6"])
      assert.deepEqual(after ?? [], [])
    },
  ],
}

/**
 * Law 10: a process ends by itself, at once, without a signal, whatever is open or pending.
 * Seen to fail: hold the threadsafe function with a reference while nothing is pending (it hangs); or release
 * it while calls are pending (their writes are lost).
 */
describe("process: exits", nodeOnly, () => {
  for (const runtime of runtimes) {
    for (const [scenario, [code, holds, says]] of Object.entries(ENDS)) {
      const once = async () => {
        const folder = tempFolder()
        const file = join(folder.path, "store.db")
        try {
          const flags = runtime === "node" ? ["--expose-gc"] : []
          const ended = await run(runtime, "runtime/exits.js", [scenario, file], { flags })
          const story = `${ended.stdout}${ended.stderr}`
          assert.equal(ended.signal, null, `ended by ${ended.signal}: ${story}`)
          assert.equal(ended.code, code, story)
          await holds?.(file)
          says?.(JSON.parse(ended.stdout.trim().split("\n").at(-1)))
          return ended.ms
        } finally {
          folder.dispose()
        }
      }
      test(`${runtime}: ${scenario}`, { timeout: 600_000 }, () => soon(AT_ONCE_MS, once))
    }
  }
})
