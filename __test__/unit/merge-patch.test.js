import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { mergePatch } from "../../dist/modules/api/commit/merge-patch.js"
import { decodeValue, encodeValue } from "../../dist/modules/value/index.js"
import { root } from "../support/runtimes.js"

/**
 * `[encoding, stored, patch, result]`, as texts that are stored, or the code of an error; the core's unit
 * test reads the same table.
 */
const CASES = JSON.parse(readFileSync(join(root, "testdata/merge-patches.json"), "utf8"))

describe("merge patches in memory", () => {
  // Seen to fail: with a merge that takes an `undefined` in a patch for a value.
  test("every case of the table", () => {
    assert.ok(CASES.length > 40)
    for (const [encoding, stored, patch, result] of CASES) {
      const value = (text) => (text === null ? undefined : decodeValue(encoding === "plain" ? 0 : 1, text))
      if (/^[A-Z_]+$/.test(result)) {
        assert.throws(() => mergePatch(value(stored), value(patch)), { code: result }, stored)
        continue
      }
      const merged = mergePatch(value(stored), value(patch))
      assert.deepEqual(merged, value(result), `${stored} ${patch}`)
      assert.equal(String(encodeValue(merged, "value").data), result)
    }
  })
})
