import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, runOk, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

/** Seen to fail: keep the snapshot for the whole turn, whoever commits. */
describe("process: a kept snapshot", nodeOnly, () => {
  for (const runtime of runtimes) {
    test(`shows what another process has written within the same turn, in ${runtime}`, async () => {
      const folder = tempFolder()
      try {
        const seen = await runOk(runtime, "store/kept-snapshot.js", [join(folder.path, "store.db")])
        assert.deepEqual(seen, [1, 2, 3])
      } finally {
        folder.dispose()
      }
    })
  }
})
