// Builds the addon and the TypeScript: `node scripts/build.mjs [--release] [--target=<Rust's triple>]`.
import { spawnSync } from "node:child_process"
import { copyFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { bundle } from "./bundle.mjs"
import { binary, fail, root, run } from "./support.mjs"
import { binaryName, targets } from "./targets.mjs"

const { values: options } = parseArgs({
  options: { release: { type: "boolean", default: false }, target: { type: "string" } },
})
const target = targets.find(({ triple }) => triple === options.target)
if (options.target !== undefined && target === undefined)
  fail(`target: ${options.target} is none of ${targets.map(({ triple }) => triple).join(", ")}`)

const flags = [options.release && "--release", target && `--target=${target.triple}`].filter(Boolean)
// Reuses what `cargo test` has compiled. Without a test among the targets, dependencies would have fewer
// features, and all their users would be compiled once more.
if (!options.release) flags.push("--test=corpus")
run("cargo", ["build", "--lib", "--locked", ...flags])
const os = target?.os ?? process.platform
const library = { linux: "libkeyval.so", darwin: "libkeyval.dylib", win32: "keyval.dll" }[os]
const profile = options.release ? "release" : "debug"
const built = join(cargoTarget(), target?.triple ?? "", profile, library)
// A new file instead of new content: a process that has loaded the old one keeps it.
const addon = join(root, target ? binaryName(target) : binary())
rmSync(addon, { force: true })
copyFileSync(built, addon)
await bundle()
// The single modules, for tests of internals.
run(process.execPath, [join(root, "node_modules/typescript/bin/tsc")])

/** The folder that Cargo builds into: CARGO_TARGET_DIR or its configuration may name another than target/. */
function cargoTarget() {
  const metadata = spawnSync("cargo", ["metadata", "--format-version=1", "--no-deps", "--locked"], {
    cwd: root,
    encoding: "utf8",
  })
  if (metadata.status !== 0) fail(`cargo metadata failed: ${metadata.stderr}`)
  return JSON.parse(metadata.stdout).target_directory
}
