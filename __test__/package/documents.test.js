// The documents' programs, as they are printed, in an empty folder where the package is installed, in both runtimes.
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, test } from "node:test"
import { fileURLToPath } from "node:url"
import { commandOf } from "../support/runtimes.js"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))
const RUNTIMES = ["node", "bun"]
const read = (path) => readFileSync(join(ROOT, path), "utf8")
const documents = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)]

/** The ```js blocks of a Markdown file. */
const blocksOf = (text) => [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code)

const withoutComments = (code) => code.replaceAll(/^\/\/.*\n/gm, "").trim()

function runIn(runtime, name, code, args = []) {
  const folder = mkdtempSync(join(tmpdir(), "keyval-documents-"))
  try {
    mkdirSync(join(folder, "node_modules/@buntime"), { recursive: true })
    symlinkSync(ROOT, join(folder, "node_modules/@buntime/keyval"), "junction")
    writeFileSync(join(folder, name), code)
    return execFileSync(commandOf(runtime), [name, ...args], { cwd: folder, encoding: "utf8", stdio: "pipe" })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

for (const document of documents) {
  describe(document, () => {
    for (const [at, code] of blocksOf(read(document)).entries())
      for (const runtime of RUNTIMES)
        test(`block ${at + 1} runs as printed in ${runtime}`, () => {
          runIn(runtime, "block.mjs", code)
        })
  })
}

describe("examples", () => {
  test("the README prints examples/quick-start.js", () => {
    const program = withoutComments(read("examples/quick-start.js"))
    assert.ok(blocksOf(read("README.md")).some((code) => withoutComments(code) === program))
  })

  for (const runtime of RUNTIMES)
    test(`the demo answers rightly with a part of its data in ${runtime}`, () => {
      const folder = mkdtempSync(join(tmpdir(), "keyval-demo-"))
      try {
        const args = [join(ROOT, "examples/cities.js"), join(folder, "cities.db"), "--limit", "3000"]
        execFileSync(commandOf(runtime), args, { encoding: "utf8", stdio: "pipe" })
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    })
})

describe("versions", () => {
  test("package.json, Cargo.toml, the export and the changelog agree", async () => {
    const { version } = await import("@buntime/keyval")
    assert.equal(JSON.parse(read("package.json")).version, version)
    assert.match(read("Cargo.toml"), new RegExp(`^version = "${version}"$`, "m"))
    assert.ok(read("CHANGELOG.md").includes(`## ${version}`))
  })

  test("lock files name no registry", () => {
    for (const lock of ["package-lock.json", "bench/package-lock.json"])
      assert.doesNotMatch(read(lock), /"resolved"/)
    for (const [, source] of read("Cargo.lock").matchAll(/^source = "(.*)"$/gm))
      assert.equal(source, "registry+https://github.com/rust-lang/crates.io-index")
  })
})
