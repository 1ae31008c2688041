// The documents' programs, as they are printed, in an empty folder where the package is installed, in both
// runtimes.
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, test } from "node:test"
import { transformSync } from "esbuild"
import { commandOf, root } from "../support/runtimes.js"
import { examples, excerptsOf, pages, programsOf, read } from "../support/sources/documents.js"

const RUNTIMES = ["node", "bun"]
/** What programs of the documents import beside the package. */
const LIBRARIES = ["zod", "@opentelemetry"]

/**
 * The program that runs: Bun reads TypeScript, and Node from 22.18; for an older Node the types are taken
 * out.
 */
function programFor(runtime, name, language, code) {
  if (language === "js") return [`${name}.mjs`, code]
  if (runtime === "bun") return [`${name}.ts`, code]
  return [`${name}.mjs`, transformSync(code, { loader: "ts", target: "es2022" }).code]
}

const withoutComments = (code) => code.replaceAll(/^\/\/.*\n/gm, "").trim()

function runIn(runtime, name, code, args = []) {
  const folder = mkdtempSync(join(tmpdir(), "keyval-documents-"))
  try {
    mkdirSync(join(folder, "node_modules/@buntime"), { recursive: true })
    symlinkSync(root, join(folder, "node_modules/@buntime/keyval"), "junction")
    for (const library of LIBRARIES)
      symlinkSync(join(root, "node_modules", library), join(folder, "node_modules", library), "junction")
    writeFileSync(join(folder, name), code)
    return execFileSync(commandOf(runtime), [name, ...args], { cwd: folder, encoding: "utf8", stdio: "pipe" })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

for (const page of pages) {
  describe(page, () => {
    for (const [at, { language, code }] of programsOf(read(page)).entries())
      for (const runtime of language === "javascript" ? [] : RUNTIMES)
        test(`block ${at + 1} runs as printed in ${runtime}`, () => {
          runIn(runtime, ...programFor(runtime, "block", language, code))
        })
  })
}

describe("examples", () => {
  test("the README prints examples/quick-start.js", () => {
    const program = withoutComments(read("examples/quick-start.js"))
    assert.ok(programsOf(read("README.md")).some(({ code }) => withoutComments(code) === program))
  })

  // Each checks itself, as a copy in an app.
  for (const file of examples)
    for (const runtime of RUNTIMES)
      test(`${file} is right in ${runtime}`, () => {
        const [name, language] = file.split(".")
        runIn(runtime, ...programFor(runtime, name, language, read(`examples/${file}`)))
      })

  test("the pages show parts of examples as they are, and link every example", () => {
    const all = pages.map(read).join("\n")
    for (const name of examples) assert.ok(all.includes(`examples/${name}`), `no page names ${name}`)
    const excerpts = excerptsOf(all)
    assert.ok(excerpts.length > 0)
    for (const { file, code } of excerpts)
      assert.ok(read(file).includes(code), `${file} has no such part:\n${code}`)
  })

  for (const runtime of RUNTIMES)
    test(`the demo answers rightly with a part of its data in ${runtime}`, () => {
      const folder = mkdtempSync(join(tmpdir(), "keyval-demo-"))
      try {
        const args = [join(root, "examples/cities.js"), join(folder, "cities.db"), "--limit", "3000"]
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
