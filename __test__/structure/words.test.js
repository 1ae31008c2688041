// Words that the check refuses in pages, and in the comments of sources.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { wordFaults } from "../../scripts/words.mjs"

describe("structure: plain words", () => {
  // Seen to fail: the check read pages alone, and a comment could say anything.
  for (const line of [
    "// A watch is told.",
    "/** It stands there. */",
    "/// Of which one.",
    "//! Who wants it.",
    " * Read anew.",
    "f()\t// anew",
  ])
    test(`a comment is refused: ${line}`, () =>
      assert.deepEqual(
        wordFaults("lib/a.ts", `const a = 1\n${line}`, true).map((fault) => fault.slice(0, 11)),
        ["lib/a.ts:2:"],
      ))

  test("code and names in a comment are not prose", () => {
    for (const line of [
      "const told = 1",
      "*told = 1",
      'test("it is told")',
      "// `told` is a name",
      "// stands for",
    ])
      assert.deepEqual(wordFaults("lib/a.ts", line, true), [])
  })

  // Seen to fail: rustfmt and Biome leave comments as they are, and 797 lines of them were wider.
  test("a comment wider than 110 columns is refused, code is not", () => {
    const long = "a".repeat(110 - "// ".length)
    const faults = (line) => wordFaults("lib/a.ts", line, true).length
    assert.deepEqual([`// ${long}`, `// ${long}a`, `f() // ${long}`].map(faults), [0, 1, 1])
    assert.equal(faults(`const a = "${long}${long}"`), 0)
    assert.equal(wordFaults("README.md", `${long}${long}`, false).length, 0)
  })

  test("a page is read whole", () => assert.equal(wordFaults("README.md", "is told", false).length, 1))
})
