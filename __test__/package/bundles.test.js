// What bundlers make of a program, run in a folder without node_modules: the addon is taken along, or left
// outside.
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { build } from "esbuild"
import { commandOf, nodeOnly, root } from "../support/runtimes.js"

const PROGRAM = `
import { Kv } from "@buntime/keyval"
async function main() {
  const kv = new Kv("file:app.db")
  await kv.set(["items", 1], { name: "bundled" })
  for await (const { key, value } of kv.list(["items"])) console.log(JSON.stringify([key, value]))
  await kv.close()
}
main()
`
const SAID = '[["items",1],{"name":"bundled"}]'

describe("bundles", { ...nodeOnly, timeout: 600_000 }, () => {
  let folder
  let app
  const run = (command, args, cwd) =>
    execFileSync(command, args, { cwd, encoding: "utf8", stdio: "pipe" }).trim()
  /** An empty folder, far from any node_modules. */
  const elsewhere = (name) => {
    const path = join(folder, name)
    mkdirSync(path)
    return path
  }

  before(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "keyval-bundle-")))
    app = elsewhere("app")
    const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], root))
    writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }))
    // Bun installs it here, as npm does in package.test.js.
    run(commandOf("bun"), ["add", join(folder, filename)], app)
    writeFileSync(join(app, "app.js"), PROGRAM)
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  test("what Bun installed runs in both runtimes", () => {
    for (const runtime of ["bun", "node"]) assert.equal(run(commandOf(runtime), ["app.js"], app), SAID)
  })

  test("bun build --compile: one executable", () => {
    const place = elsewhere("compiled")
    run(commandOf("bun"), ["build", "--compile", "app.js", "--outfile", join(place, "app")], app)
    assert.equal(run(join(place, "app"), [], place), SAID)
  })

  for (const runtime of ["bun", "node"]) {
    test(`bun build --target=${runtime}: a bundle with the addon beside it`, () => {
      const place = elsewhere(`bun-bundle-${runtime}`)
      run(commandOf("bun"), ["build", "app.js", `--target=${runtime}`, "--outdir", place], app)
      writeFileSync(join(place, "package.json"), '{ "type": "module" }')
      assert.equal(run(commandOf(runtime), ["app.js"], place), SAID)
    })
  }

  // The loader of the addon is CommonJS: a bundle that is an ES module must bring its `require`.
  const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url)'
  for (const [format, extra] of [
    ["cjs", {}],
    ["esm", { banner: { js: banner } }],
  ]) {
    test(`esbuild to ${format}: a bundle with the addon beside it`, async () => {
      const place = elsewhere(`esbuild-${format}`)
      const file = format === "esm" ? "app.mjs" : "app.cjs"
      await build({
        entryPoints: [join(app, "app.js")],
        outfile: join(place, file),
        bundle: true,
        platform: "node",
        format,
        loader: { ".node": "copy" },
        logLevel: "silent",
        ...extra,
      })
      assert.equal(run(process.execPath, [file], place), SAID)
    })
  }

  test("esbuild: a bundle that leaves the package outside", async () => {
    const place = elsewhere("esbuild-external")
    await build({
      entryPoints: [join(app, "app.js")],
      outfile: join(place, "app.mjs"),
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
    })
    cpSync(join(app, "node_modules"), join(place, "node_modules"), { recursive: true })
    assert.equal(run(process.execPath, ["app.mjs"], place), SAID)
  })
})
