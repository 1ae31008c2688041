import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { nodeOnly, runOk, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

/** Seen to fail: open the connections for lists by the path as it was given; a list then fails on a new, empty file. */
describe("process: connections that are opened later", nodeOnly, () => {
  for (const runtime of runtimes) {
    test(`read the file that was opened, and no other, in ${runtime}`, async () => {
      const [folder, other] = [tempFolder(), tempFolder()]
      try {
        const found = await runOk(runtime, "opening/file-moved.js", [folder.path, other.path])
        assert.deepEqual(found.listed, [["a"]])
        assert.equal(found.count, 1)
        assert.deepEqual(found.created, [])
        assert.equal(found.error.code, "UNAVAILABLE")
        assert.match(found.error.message, /moved, deleted or replaced/)
      } finally {
        folder.dispose()
        other.dispose()
      }
    })
  }
})
