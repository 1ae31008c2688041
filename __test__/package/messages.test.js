// docs/errors.md against the sources: every message that it prints is put together of texts that are there.
import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { root } from "../support/runtimes.js"
import { read } from "../support/sources/documents.js"
import { filesBelow } from "../support/sources/files.js"

/** Shorter texts are found by chance. */
const MIN_CHARS = 8
/** What a message has been given, or what the system said. */
const GIVEN = /"[^"]*"|\{ .*? \}|\]|\(SQLite.*|: No such file.*|…|\b[\d.]+\b/g
/** What an error is about comes from `Place`: an argument, an operation on a file. */
const PLACE = /^(?:(?:[\w.$[\]…-]+|key \[.*?\]|backup to \S+|consumer "\w+"|dead letter "\S+"): )+/

/** The first cells of tables, as far as they are messages. */
const printed = () =>
  read("docs/errors.md")
    .split("## Messages")[1]
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...line.split(" | ")[0].matchAll(/`([^`]+)`/g)].map(([, message]) => message))

/** Texts of the sources, without what is put into them. */
function texts() {
  const below = (folder, ending) =>
    filesBelow(join(root, folder), ending).map((file) => read(join(folder, file)))
  const rust = below("src", ".rs").map((source) => source.replace(/\\\n\s*/g, ""))
  const sources = [...rust, ...below("lib", ".ts")].map((source) =>
    source.replaceAll('\\"', "'").replaceAll(/\{?\{ .*? \}\}?/g, ";"),
  )
  const literals = sources.flatMap((source) =>
    [...source.matchAll(/"[^"\n]*"|`[^`]*`/g)].map(([text]) => text.slice(1, -1)),
  )
  return literals.flatMap((text) => text.split(/\$?\{[^}]*\}|[;:,…]/)).map((text) => text.trim())
}

const clausesOf = (message) =>
  message
    .replace(PLACE, "")
    .replace(GIVEN, ";")
    .split(/[;:,]/)
    .map((clause) => clause.trim())
    .filter((clause) => clause.length >= MIN_CHARS)

describe("messages of errors.md", () => {
  // Seen to fail: "a backup is a file", which was refused in other words.
  test("each clause of a message is in the sources", () => {
    const known = texts()
    const long = known.filter((text) => text.length >= MIN_CHARS)
    const isKnown = (clause) =>
      known.some((text) => text.includes(clause)) || long.some((text) => clause.includes(text))
    const messages = printed()
    assert.ok(messages.length > 80)
    assert.deepEqual(
      messages.flatMap((message) =>
        clausesOf(message)
          .filter((clause) => !isKnown(clause))
          .map((clause) => `${message} -> ${clause}`),
      ),
      [],
    )
    assert.equal(isKnown("a backup is a file"), false)
  })
})
