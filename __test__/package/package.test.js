// What a user installs: the tarball of `npm pack`, in an empty folder, from Node (import and require) and
// from Bun.
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { fileURLToPath } from "node:url"
import { buildSync } from "esbuild"
import { common, renamedClass } from "../../scripts/bundle.mjs"
import { commandOf } from "../support/runtimes.js"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))
const PROGRAM = `
async function main({ Kv }) {
  const kv = new Kv("./data/app.db")
  await kv.set(["runs", Date.now()], { runtime: process.versions.bun ? "bun" : "node" }, { expiresIn: "1h" })
  const { results } = await kv.atomic().sum(["count"], 1n).commit()
  await kv.close()
  console.log("count " + results[0])
}
`
const IMPORT = `import * as keyval from "@buntime/keyval"\n${PROGRAM}\nawait main(keyval)\n`
const REQUIRE = `${PROGRAM}\nmain(require("@buntime/keyval"))\n`

describe("package", () => {
  let folder
  const run = (command, args, cwd = folder) =>
    execFileSync(command, args, { cwd, encoding: "utf8", stdio: "pipe" })

  before(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "keyval-package-")))
    const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], ROOT))
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", private: true }))
    run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(folder, filename)])
    mkdirSync(join(folder, "types"))
    writeFileSync(join(folder, "esm.mjs"), IMPORT)
    writeFileSync(join(folder, "cjs.cjs"), REQUIRE)
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  test("the tarball holds what it needs and nothing of the workshop", () => {
    const installed = join(folder, "node_modules/@buntime/keyval")
    const files = readdirSync(installed)
    for (const name of [
      "dist",
      "index.d.ts",
      "index.d.cts",
      "native.cjs",
      "package.json",
      "README.md",
      "LICENSE",
    ])
      assert.ok(files.includes(name), `${name} is missing`)
    for (const name of [
      "src",
      "__test__",
      "Cargo.toml",
      "bench/run.js",
      "bench/instructions",
      "testdata",
      "lib",
      "scripts",
      "dist/modules",
      "dist/testing.js",
    ])
      assert.ok(!existsSync(join(installed, name)), `${name} is in the tarball`)
    assert.equal(files.filter((name) => name.endsWith(".node")).length, 1)
    assert.deepEqual(readdirSync(join(folder, "node_modules/@buntime")), ["keyval"])
  })

  // One file, four ways in: each finds what the one before left.
  test("import and require in Node, import and require in Bun", () => {
    const bun = commandOf("bun")
    const node = commandOf("node")
    const ways = [
      [node, "esm.mjs"],
      [node, "cjs.cjs"],
      [bun, "esm.mjs"],
      [bun, "cjs.cjs"],
    ]
    for (const [at, [command, file]] of ways.entries())
      assert.equal(run(command, [file]).trim(), `count ${at + 1}`)
  })

  // Modules as files of their own take twice as long to import.
  test("an import loads few files", () => {
    const program = `
      const { createRequire } = await import("node:module")
      await import("@buntime/keyval")
      const place = process.cwd() + "/node_modules/@buntime/keyval/"
      const loaded = Object.keys(createRequire(place).cache).filter((path) => path.startsWith(place))
      console.log(JSON.stringify(loaded.map((path) => path.slice(place.length)).sort()))
    `
    const loaded = JSON.parse(run(process.execPath, ["--input-type=module", "-e", program]))
    const [addon] = loaded.filter((name) => name.endsWith(".node"))
    assert.deepEqual(loaded, ["dist/index.js", "dist/internals.js", addon, "native.cjs"])
  })

  test("its types compile in a strict project", () => {
    writeFileSync(
      join(folder, "types/app.ts"),
      `import { Kv, type KvEntryMaybe } from "@buntime/keyval"\nconst kv = new Kv(":memory:")\nexport const entry: Promise<KvEntryMaybe<number>> = kv.get<number>(["n"])\n`,
    )
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"]
    // What a target of es2022 has by itself, and `dom` for URL: no @types/node, and the package's own types
    // are checked.
    const lib = ["--lib", "es2022,dom", "--types", ""]
    run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), ...options, ...lib, "types/app.ts"])
  })
})

// Seen to fail: with a look for another form of a renamed class none was found.
test("a class whose name the bundle would change is found", () => {
  const bundled = (contents) =>
    buildSync({ ...common, stdin: { contents, loader: "ts" }, format: "cjs", write: false }).outputFiles[0]
      .text
  assert.equal(renamedClass(bundled("export class Lock { copy() { return new Lock() } }")), "Lock")
  assert.equal(renamedClass(bundled("export class Lock { static first = new Lock() }")), "Lock")
  assert.equal(renamedClass(bundled("export class Lock { static first = new this() }")), undefined)
})
