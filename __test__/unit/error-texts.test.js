import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { at, invalidArgument, limitExceeded, short } from "../../dist/modules/shared/errors.js"
import { root } from "../support/runtimes.js"

/** Messages that both languages make; the core's unit test reads the same table. */
const TEXTS = JSON.parse(readFileSync(join(root, "testdata/error-texts.json"), "utf8"))

describe("texts of errors, as Rust writes them", () => {
  // Seen to fail: with another word for a limit, or another length of what is kept of a long text, on one
  // side.
  test("every case of the table", () => {
    for (const [place, message, text] of TEXTS.at)
      assert.equal(at(place, invalidArgument(message)).message, text)
    for (const [what, size, limit, unit, text] of TEXTS.limit) {
      const { code, message } = limitExceeded(what, size, limit, unit)
      assert.deepEqual([code, message], ["LIMIT_EXCEEDED", text])
    }
    for (const [letter, times, kept] of TEXTS.short) {
      const cut = kept && `${letter.repeat(kept[0])}…${letter.repeat(kept[1])}`
      assert.equal(short(letter.repeat(times)), cut ?? letter.repeat(times))
    }
  })
})
