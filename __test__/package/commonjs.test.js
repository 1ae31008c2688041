// `require` works wherever `engines` says, also where it cannot load ES modules (Node 22.0 to 22.11, Jest),
// and gives what `import` gives: an error that one of them made is an instance of the other's class.
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { commandOf, nodeOnly, root } from "../support/runtimes.js"
import { inSandbox } from "../support/sandbox.js"
import { readDeclarations } from "../support/sources/declarations.js"

const { exports, main } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

const BOTH = `
const required = require("@buntime/keyval")
import("@buntime/keyval").then(async (imported) => {
  const names = ["Kv", "KvError", "KvU64", "version"]
  const same = names.every((name) => required[name] !== undefined && required[name] === imported[name])
  const error = await new imported.Kv(":memory:").get([{}]).catch((error) => error)
  const value = await new required.Kv(":memory:").set(["n"], new imported.KvU64(1n))
  console.log(JSON.stringify([Object.keys(required), same, error instanceof required.KvError, value.ok]))
})
`

/** What a test in a sandbox does; each line is a class or an error that crosses its border. */
const SANDBOXED = `
return (async () => {
  const { Kv, KvError, KvU64 } = require("@buntime/keyval")
  const kv = new Kv(":memory:")
  const made = {
    date: new Date(5), map: new Map([[1, 2]]), set: new Set([1]), regExp: /x/g, bytes: new Uint8Array([1, 2]),
    floats: new Float64Array([1.5]), error: new RangeError("no"), bigint: 5n, array: [1, { a: null }],
  }
  await kv.set(["a"], made)
  await kv.set([new Uint8Array([7]), "b"], new Uint8Array([3]))
  await kv.set(["u64"], new KvU64(4n))
  const { value } = await kv.get(["a"])
  const classes = Object.keys(made).filter((name) => Object.getPrototypeOf(Object(value[name])) !== Object.getPrototypeOf(Object(made[name])))
  const bytes = (await kv.get([new Uint8Array([7]), "b"])).value
  const keys = []
  for await (const { key } of kv.list([])) keys.push(key.map((part) => (part instanceof Uint8Array ? "bytes" : part)))
  const refused = []
  const refuse = async (call) => refused.push(await call().then(() => "not refused", (error) => [error instanceof KvError, error.code].join()))
  await refuse(() => kv.get(["a", {}]))
  await refuse(() => kv.get([{}]))
  await refuse(() => kv.set(["a"], () => {}))
  await refuse(() => kv.set([], 1))
  await refuse(async () => kv.list([{}]))
  await refuse(async () => new Kv("ftp://host"))
  await refuse(async () => kv.search(["a"], 5))
  await refuse(() => kv.enqueue(1, { queue: 5 }))
  const values = []
  const watch = kv.watch(["w"], ([entry]) => values.push(entry?.value))
  await kv.set(["w"], new Uint8Array([9]))
  while (!values.some((value) => value instanceof Uint8Array)) await new Promise((resolve) => setTimeout(resolve, 1))
  watch.stop()
  const u64 = (await kv.get(["u64"])).value instanceof KvU64
  await kv.close()
  await refuse(() => kv.get(["a"]))
  return JSON.stringify({ classes, bytes: bytes instanceof Uint8Array, keys, refused, u64 })
})()
`

/**
 * Seen to fail: build ES modules (no sandbox and no Node 22.11 loads them, TypeScript refuses them in
 * "node16"); make a second build for `require` (the classes differ); ask whether an error of the addon is an
 * `instanceof Error`.
 */
describe("CommonJS", nodeOnly, () => {
  let folder

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "keyval-commonjs-"))
    mkdirSync(join(folder, "node_modules/@buntime"), { recursive: true })
    symlinkSync(root, join(folder, "node_modules/@buntime/keyval"), "junction")
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const runtime of ["node", "bun"])
    test(`${runtime}: require and import give one copy`, () => {
      writeFileSync(join(folder, "both.cjs"), BOTH)
      const said = execFileSync(commandOf(runtime), ["both.cjs"], { cwd: folder, encoding: "utf8" })
      assert.deepEqual(JSON.parse(said), [["Kv", "KvError", "KvU64", "version"].sort(), true, true, true])
    })

  test("a test runner's sandbox loads it, and every class is the sandbox's own", async () => {
    const required = join(root, exports["."].require.default)
    assert.equal(required, join(root, main))
    const said = await inSandbox(SANDBOXED, { "@buntime/keyval": required })
    assert.deepEqual(JSON.parse(said), {
      classes: [],
      bytes: true,
      keys: [["bytes", "b"], ["a"], ["u64"]],
      refused: [...Array(8).fill("true,INVALID_ARGUMENT"), "true,CLOSED"],
      u64: true,
    })
  })

  const PROGRAM_CTS = `
import { Kv, KvError, KvU64, version, type KvEntryMaybe } from "@buntime/keyval"
class Mine extends KvError {}
export const entry: Promise<KvEntryMaybe<number>> = new Kv(":memory:").get<number>(["a"])
export const code = (error: unknown): string => (error instanceof KvError ? error.code : version)
export const [mine, one]: [typeof KvError, KvU64] = [Mine, new KvU64(1n)]
`
  // What was required and what was imported are of one type.
  const PROGRAM_MTS = `
import { Kv, KvU64 } from "@buntime/keyval"
import required = require("@buntime/keyval")
export const [kv, back]: [required.Kv, Kv] = [new Kv(":memory:"), new required.Kv()]
export const one: KvU64 = new required.KvU64(1n)
`
  for (const module of ["node16", "nodenext"])
    test(`TypeScript with module ${module}: import and require in a strict project`, () => {
      writeFileSync(join(folder, "app.cts"), PROGRAM_CTS)
      writeFileSync(join(folder, "app.mts"), PROGRAM_MTS)
      const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--module", module]
      const rest = ["--target", "es2022", "--lib", "es2022,dom", "--types", "", "app.cts", "app.mts"]
      execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...options, ...rest], {
        cwd: folder,
        encoding: "utf8",
      })
    })

  test("the types of require name every value of the contract", () => {
    const { values } = readDeclarations(readFileSync(join(root, "index.d.ts"), "utf8"))
    const named = readFileSync(join(root, "index.d.cts"), "utf8").matchAll(/declare const (\w+)/g)
    assert.deepEqual([...named].map(([, name]) => name).sort(), [...values].sort())
  })
})
