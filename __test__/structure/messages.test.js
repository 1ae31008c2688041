// An error is made of its parts: its message does not hold the argument, and nobody looks into it or changes
// it.
import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { root } from "../support/runtimes.js"
import { filesBelow, read } from "../support/sources/files.js"
import { rustSources, rustTexts } from "../support/sources/rust.js"

/** Where messages and places are put together. */
const HOME = "base/error.rs"
/** A message that is cut, searched or replaced. */
const TAKEN_APART =
  /\bmessage\s*\.\s*(?:strip_prefix|replacen?|split\w*|trim\w*|find|contains|get|starts_with|startsWith|slice|substring|includes|match)\(/
/** Half of an error: what it is about is missing. */
const HALF = /\berror\.message\b/
/**
 * A text that begins with the name of an argument, which is `Error::at`'s to say; what the system said
 * follows other words.
 */
const NAMED = /^"(?:\w+|\{\w+\}): (?!\{error\})/
/** Steps of ours that a test can make fail. */
const FAULTS = /\bmay_fail\([^;]*$/

const named = (texts) =>
  texts
    .filter(({ file, text, before }) => file !== HOME && NAMED.test(text) && !FAULTS.test(before))
    .map(({ file, text }) => `${file}: ${text}`)

const linesOf = (sources, pattern) =>
  [...sources].flatMap(([file, source]) =>
    source
      .split("\n")
      .filter((line) => pattern.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  )

describe("structure: messages of errors", () => {
  // Seen to fail: with four lines that replaced the name of an argument in a finished message.
  test("no message is taken apart", () => {
    const LIB = join(root, "lib")
    const lib = filesBelow(LIB, ".ts").map((file) => [file, read(LIB, file)])
    assert.deepEqual(linesOf([...rustSources(), ...lib], TAKEN_APART), [])
    assert.deepEqual(
      linesOf(rustSources(), HALF).filter((line) => !line.startsWith(`${HOME}: `)),
      [],
    )
  })

  // Seen to fail: with 76 texts, from `"key: it is empty"` to `"{place}: give a string"`.
  test("Rust: what an error is about is data, and one function writes it", () => {
    assert.deepEqual(named(rustTexts()), [])
    const all = (text) => named([{ file: "a.rs", text, before: "Error::invalid(" }]).length
    assert.deepEqual(['"url: no"', '"{name}: no"', '"no: {name} "', '"it is: no"'].map(all), [1, 1, 1, 0])
  })
})
