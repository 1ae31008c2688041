import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, runOk, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const MIB = 1024 * 1024

/**
 * Law 10: a `Kv` that is dropped without `close` is closed when it is collected, and not before what it runs
 * has ended. A store has two threads and, in memory, what was written. Seen to fail: give Rust a closure over
 * the bridge to call (nothing is ever freed); hold the bridge by a `WeakRef` alone (the watch, the listener
 * and the pending set end); do not tell the collector what a store takes ("freed in time"); keep what was
 * written to each store (57 MiB more with each 60 stores).
 */
describe("process: a Kv that is dropped", { ...nodeOnly, skip: process.platform !== "linux" }, () => {
  for (const runtime of runtimes)
    for (const place of ["main", "worker"]) {
      const answer = async (scenario) => {
        const folder = tempFolder()
        try {
          const flags = runtime === "node" ? ["--expose-gc"] : []
          const args = [scenario, join(folder.path, "store.db"), place]
          return await runOk(runtime, "runtime/dropped-kv.js", args, { flags })
        } finally {
          folder.dispose()
        }
      }
      const called = (name) => `${runtime}, ${place}: ${name}`

      for (const name of ["memory, freed by force", "files, freed by force", "memory, freed in time"])
        test(called(name), { timeout: 600_000 }, async (t) => {
          const { most, rssBytes, grownBytes, storedBytes } = await answer(name)
          const mebibytes = (bytes) => Math.round(bytes / MIB)
          const grown = `grown by ${grownBytes.map(mebibytes)} MiB, with ${mebibytes(storedBytes)} MiB in dropped stores`
          t.diagnostic(`${most} threads more at most, ${mebibytes(rssBytes)} MiB at the end, ${grown}`)
          assert.ok(Math.min(...grownBytes) < storedBytes / 2, grown)
        })

      test(called("what was acknowledged is there"), { timeout: 600_000 }, async () => {
        assert.equal(await answer("what was acknowledged is there"), "100")
      })

      test(called("what goes on is not freed"), { timeout: 600_000 }, async () => {
        for (const [name, ended] of Object.entries(await answer("what goes on"))) assert.ok(ended, name)
      })
    }
})
