import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { nodeOnly, runOk } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

/** Seen to fail: store what `node:v8` serialises. */
describe("process: values across runtimes", nodeOnly, () => {
  for (const [writer, reader] of [
    ["node", "bun"],
    ["bun", "node"],
  ]) {
    test(`what ${writer} wrote ${reader} reads`, { timeout: 600_000 }, async () => {
      const folder = tempFolder()
      const file = join(folder.path, "store.db")
      try {
        await runOk(writer, "store/samples.js", ["write", file])
        assert.equal(await runOk(reader, "store/samples.js", ["read", file]), true)
      } finally {
        folder.dispose()
      }
    })
  }
})
