// docs/limits.md against the sources: every limit is there with its figure, and nothing else.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { read, rowsOf } from "../support/sources/documents.js"

const SOURCES = ["src/base/limits.rs", "src/base/config/mod.rs", "lib/shared/limits.ts"]

/** `16 * 1024 * 1024` or `60_000`, as a number. */
const product = (text) =>
  text.split("*").reduce((result, factor) => result * Number(factor.replaceAll("_", "")), 1)

/** Public constants of a file whose value is a product of whole numbers. */
const constantsOf = (source) =>
  [...source.matchAll(/^(?:pub|export) const (\w+)(?:: \w+)? = ([\d_ *]+);?$/gm)].map(([, name, value]) => [
    name,
    product(value),
  ])

/** Rows of the page that end with the name of a constant; the figure comes second. */
const figuresOf = (page) =>
  rowsOf(page)
    .filter((cells) => /^`[A-Z0-9_]+`$/.test(cells.at(-1)))
    .map((cells) => [cells.at(-1).slice(1, -1), Number(cells[1].replaceAll(",", ""))])

describe("limits", () => {
  const constants = new Map(SOURCES.flatMap((file) => constantsOf(read(file))))
  const figures = figuresOf(read("docs/limits.md"))

  test("a limit that two files hold is one limit", () => {
    for (const file of SOURCES)
      for (const [name, value] of constantsOf(read(file))) assert.equal(value, constants.get(name), name)
  })

  test("every constant of the sources was read", () => {
    for (const file of SOURCES) {
      const declared = read(file).match(/^(?:pub|export) const \w+/gm)
      assert.equal(constantsOf(read(file)).length, declared.length, file)
    }
  })

  test("the page names every limit once, with the figure of the source", () => {
    assert.deepEqual(
      figures.toSorted(([a], [b]) => (a < b ? -1 : 1)),
      [...constants].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    )
  })
})
