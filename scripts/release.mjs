// Prepares the packages to publish: `node scripts/release.mjs <binaries> <out>`. `binaries` holds the .node
// files of all platforms, at any depth; `out` gets a folder for each package, the platforms' first. It
// publishes nothing.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fail, root } from "./support.mjs"
import { binaryName, packageName, targets } from "./targets.mjs"

const [binaries, out] = process.argv.slice(2)
if (!binaries || !out) fail("usage: node scripts/release.mjs <binaries> <out>")
const found = new Map(
  readdirSync(binaries, { recursive: true }).map((path) => [basename(path), join(binaries, path)]),
)
const missing = targets.map(binaryName).filter((name) => !found.has(name))
if (missing.length > 0)
  fail(`${binaries} lacks ${missing.join(", ")}: a release has the binaries of all platforms`)

const main = readJson(root)
for (const target of targets) {
  const folder = join(out, target.name)
  cpSync(join(root, "npm", target.name), folder, { recursive: true })
  cpSync(join(root, "LICENSE"), join(folder, "LICENSE"))
  cpSync(found.get(binaryName(target)), join(folder, binaryName(target)))
  writeJson(folder, { ...readJson(folder), version: main.version })
}

// Only the published package names the platforms' packages: in the repository npm would look for versions
// that do not exist.
const folder = join(out, "keyval")
mkdirSync(folder, { recursive: true })
for (const name of [...main.files, "README.md", "LICENSE"].filter((name) => !name.includes("*"))) {
  if (!existsSync(join(root, name))) fail(`${name} is missing: run npm run build first`)
  cpSync(join(root, name), join(folder, name), { recursive: true })
}
const { devDependencies: _tools, scripts: _commands, ...published } = main
const optionalDependencies = Object.fromEntries(targets.map((one) => [packageName(one), main.version]))
writeJson(folder, { ...published, optionalDependencies })
console.log(`${targets.length + 1} packages in ${out}`)

function readJson(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
}

function writeJson(folder, json) {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(json, null, 2)}\n`)
}
