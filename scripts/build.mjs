// Builds the addon and the TypeScript: `node scripts/build.mjs [--release]`.
import { copyFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { binary, root, run } from "./support.mjs"

const release = process.argv.includes("--release")

run("cargo", ["build", "--lib", "--locked", ...(release ? ["--release"] : [])])
const library = { linux: "libkeyval.so", darwin: "libkeyval.dylib", win32: "keyval.dll" }[process.platform]
const built = join(root, "target", release ? "release" : "debug", library)
// A new file, not a new content: a process that has the old one loaded keeps it.
const addon = join(root, binary())
rmSync(addon, { force: true })
copyFileSync(built, addon)
rmSync(join(root, "dist"), { recursive: true, force: true })
run(process.execPath, [join(root, "node_modules/typescript/bin/tsc")])
