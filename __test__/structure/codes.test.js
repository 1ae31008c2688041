// Numbers that stand for words where JavaScript and Rust meet: each is one constant in `lib/wire/codes.ts`
// and one in `src/`.
import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { root } from "../support/runtimes.js"
import { filesBelow, read } from "../support/sources/files.js"

const LIB = join(root, "lib")

const TS_CODE = /^export const ([A-Z0-9_]+) = (\d+)$/gm

/** Values of the constants of a name in Rust: numbers, or notices by their bits. */
function rustValues(name, sources) {
  // In Rust the type of a notice is the first word of its name.
  const own = name.replace(/^NOTICE_/, "")
  const constant = new RegExp(`\\bconst ${own}: (?:u8|Self) = (?:Self::of\\()?(\\d+)\\)?;`, "g")
  return sources.flatMap((source) => [...source.matchAll(constant)].map(([, value]) => Number(value)))
}

/** Codes of `lib/wire/codes.ts` that Rust has otherwise, or not at all, or twice. */
function differing(typescript, rust) {
  return [...typescript.matchAll(TS_CODE)]
    .filter(([, name, value]) => rustValues(name, rust).join() !== value)
    .map(([, name]) => name)
}

describe("structure: numbers that Rust and TypeScript both know", () => {
  const codes = read(LIB, "wire/codes.ts")
  const rust = filesBelow(join(root, "src"), ".rs").map((file) => read(join(root, "src"), file))

  test("each is the same constant in both", () => {
    assert.ok(codes.match(TS_CODE).length > 20)
    assert.deepEqual(differing(codes, rust), [])
  })

  // How it is seen to fail, kept as a test.
  test("a number that differs is found", () => {
    const typescript =
      "export const A = 1\n/** b */\nexport const B = 2\nexport const C = 3\nexport const D = 4\n"
    const source = "pub const A: u8 = 1;\nconst B: u8 = 3;\npub const D: Self = Self::of(4);"
    assert.deepEqual(differing(typescript, [source]), ["B", "C"])
    assert.deepEqual(differing(typescript, [source, "const A: u8 = 1;"]), ["A", "B", "C"])
  })
})
