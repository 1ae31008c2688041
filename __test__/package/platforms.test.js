// Every platform is listed once, in scripts/targets.mjs; npm/, native.cjs and the workflows follow it.
import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { parse } from "yaml"
import { binaryName, packageName, targets } from "../../scripts/targets.mjs"
import { commandOf, nodeOnly, root } from "../support/runtimes.js"

const text = (path) => readFileSync(join(root, path), "utf8")
const json = (path) => JSON.parse(text(path))
const names = targets.map(({ name }) => name)

describe("platforms", nodeOnly, () => {
  test("npm/ has a folder for each, and no other", () => {
    assert.deepEqual(readdirSync(join(root, "npm")).toSorted(), names.toSorted())
    const { version, license, engines } = json("package.json")
    for (const target of targets) {
      const found = json(`npm/${target.name}/package.json`)
      assert.deepEqual(found, {
        name: packageName(target),
        version,
        description: found.description,
        license,
        os: [target.os],
        cpu: [target.cpu],
        ...(target.libc && { libc: [target.libc] }),
        main: binaryName(target),
        files: [binaryName(target)],
        engines,
      })
    }
  })

  test("native.cjs asks for each by literal paths, and for no other", () => {
    const required = [...text("native.cjs").matchAll(/require\("(\.\/keyval|@buntime)([^"]+)"\)/g)]
    const expected = targets.flatMap((target) => [`./${binaryName(target)}`, packageName(target)])
    assert.deepEqual(
      required.map(([, start, rest]) => start + rest),
      expected,
    )
  })

  test("the release workflow builds each on its machine", () => {
    const { jobs } = parse(text(".github/workflows/release.yml"))
    const expected = targets.map(({ name, triple, runner, container }) => ({
      name,
      triple,
      runner,
      ...(container && { container }),
    }))
    assert.deepEqual(jobs.build.strategy.matrix.include, expected)
    assert.equal(jobs.publish.needs, "build")
    for (const script of ["scripts/release.mjs", "scripts/run.mjs"]) assert.ok(existsSync(join(root, script)))
  })

  test("the CI workflow runs the command that everybody runs", () => {
    const { jobs } = parse(text(".github/workflows/ci.yml"))
    assert.ok(jobs.test.steps.some(({ run }) => run === "npm test"))
  })
})

describe("platforms: where no binary fits", nodeOnly, () => {
  let folder

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "keyval-platform-"))
    cpSync(join(root, "native.cjs"), join(folder, "native.cjs"))
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  /** What a program that loads the addon says as it fails, on a platform that is made up. */
  function messageOf(runtime, { platform, arch }) {
    const program = `
      Object.defineProperty(process, "platform", { value: ${JSON.stringify(platform)} })
      Object.defineProperty(process, "arch", { value: ${JSON.stringify(arch)} })
      try { require("./native.cjs"); console.log("it loads") } catch (error) { console.log(error.message) }`
    writeFileSync(join(folder, "load.cjs"), program)
    return execFileSync(commandOf(runtime), [join(folder, "load.cjs")], { encoding: "utf8" }).trim()
  }

  for (const runtime of ["node", "bun"]) {
    test(`a platform that is not brought, in ${runtime}`, () => {
      const message = messageOf(runtime, { platform: "freebsd", arch: "x64" })
      assert.match(
        message,
        /no binary for freebsd-x64\. It brings: linux-x64-gnu, .*npm run build.*docs\/platforms\.md/,
      )
    })

    test(`a package of the platform that was not installed, in ${runtime}`, () => {
      const message = messageOf(runtime, { platform: "darwin", arch: "arm64" })
      assert.match(
        message,
        /darwin-arm64 is missing.*@buntime\/keyval-darwin-arm64.*--omit=optional.*npm run build/,
      )
    })

    // Seen to fail: pass over every error.
    test(`a binary that does not load, in ${runtime}`, () => {
      const file = join(folder, "keyval.win32-x64.node")
      writeFileSync(file, "no library")
      const message = messageOf(runtime, { platform: "win32", arch: "x64" })
      rmSync(file)
      assert.match(message, /binary does not load: .*npm run build/s)
    })
  }
})

/** Seen to fail: say what Node says, with two full stops, and to build the binary. */
describe("platforms: a process that may load no addon", nodeOnly, () => {
  const permission = process.allowedNodeEnvironmentFlags.has("--permission")
    ? "--permission"
    : "--experimental-permission"
  for (const flags of [["--no-addons"], [permission, "--allow-fs-read=*"]])
    test(`node ${flags.join(" ")}`, () => {
      const program = 'try { require("./native.cjs") } catch (error) { console.log(error.message) }'
      const said = execFileSync(process.execPath, [...flags, "-e", program], {
        cwd: root,
        encoding: "utf8",
        stdio: "pipe",
      })
      assert.match(said, /loading addons is disabled\. Start Node without --no-addons;.*--allow-addons\.$/m)
      assert.doesNotMatch(said, /\.\.|npm run build/)
    })
})

describe("platforms: a release", nodeOnly, () => {
  let folder
  const prepare = () =>
    spawnSync(
      process.execPath,
      [join(root, "scripts/release.mjs"), join(folder, "in"), join(folder, "out")],
      {
        encoding: "utf8",
      },
    )

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "keyval-release-"))
    for (const target of targets) {
      mkdirSync(join(folder, "in", target.name), { recursive: true })
      writeFileSync(join(folder, "in", target.name, binaryName(target)), target.name)
    }
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  test("is a package a platform with its binary, and the main one that names them", () => {
    const { status, stderr } = prepare()
    assert.equal(status, 0, stderr)
    const read = (path) => JSON.parse(readFileSync(join(folder, "out", path, "package.json"), "utf8"))
    const { version } = json("package.json")
    for (const target of targets) {
      assert.equal(read(target.name).version, version)
      assert.equal(readFileSync(join(folder, "out", target.name, binaryName(target)), "utf8"), target.name)
    }
    const main = read("keyval")
    assert.deepEqual(
      main.optionalDependencies,
      Object.fromEntries(targets.map((one) => [packageName(one), version])),
    )
    assert.equal(main.devDependencies, undefined)
    for (const path of ["dist/index.js", "index.d.ts", "native.cjs", "README.md", "LICENSE"])
      assert.ok(existsSync(join(folder, "out/keyval", path)), path)
    assert.ok(!readdirSync(join(folder, "out/keyval")).some((name) => name.endsWith(".node")))
  })

  test("is refused when a binary is missing", () => {
    rmSync(join(folder, "in/darwin-x64"), { recursive: true })
    const { status, stderr } = prepare()
    assert.notEqual(status, 0)
    assert.match(stderr, /lacks keyval\.darwin-x64\.node/)
  })
})
