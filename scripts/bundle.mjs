// Builds dist/ from lib/: one file that holds the library, and one for each entry of the package.
import { copyFileSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { fail, root } from "./support.mjs"

const lib = (path) => join(root, "lib", path)
const dist = (path) => join(root, "dist", path)
const INTERNALS = "internals.js"
/**
 * An entry takes its imports of lib/ from the file `through`. An ES module goes through a small file: Node
 * scans the whole text of a CommonJS file for its exports, which takes 60 ms for the large one.
 */
const ENTRIES = [
  { from: "index.ts", to: "index.js", format: "cjs", through: INTERNALS },
  { from: "index.mts", to: "index.mjs", format: "esm", through: "index.js" },
  { from: "testing.ts", to: "testing.js", format: "cjs", through: INTERNALS },
]

export const common = { bundle: true, platform: "node", target: "es2022", logLevel: "warning" }

/** Leaves matching imports as imports of `path`. */
const external = (filter, path) => ({
  name: path,
  setup: ({ onResolve }) =>
    onResolve({ filter }, ({ kind }) => (kind === "entry-point" ? undefined : { path, external: true })),
})

/**
 * The first class that esbuild has renamed, as it does when a class names itself in its body. Errors show the
 * names of classes, so none may be renamed; esbuild's `keepNames` would cost each closure a call.
 */
export function renamedClass(text) {
  return /\bclass _(\w+)/.exec(text)?.[1]
}

function checkNames(text) {
  const name = renamedClass(text)
  if (name !== undefined)
    fail(`lib/: the class ${name} names itself in its body; use \`this\`, or a function beside it`)
}

/** Builds all of dist/, and removes its old content. */
export async function bundle() {
  rmSync(dist(""), { recursive: true, force: true })
  await build({
    ...common,
    entryPoints: [lib("internals.ts")],
    outfile: dist(INTERNALS),
    format: "cjs",
    plugins: [external(/\/native\.cjs$/, "../native.cjs")],
  })
  checkNames(readFileSync(dist(INTERNALS), "utf8"))
  for (const { from, to, format, through } of ENTRIES)
    await build({
      ...common,
      entryPoints: [lib(from)],
      outfile: dist(to),
      format,
      plugins: [external(/^\.{1,2}\//, `./${through}`)],
    })
  copyFileSync(lib("package.json"), dist("package.json"))
}
