// Reads the imports of `lib/`.
import { join, posix } from "node:path"
import { root } from "../runtimes.js"
import { filesBelow, read } from "./files.js"

const LIB = join(root, "lib")

/** Imports of types count too: they tie files as much as others do. */
const IMPORT = /\b(?:from|import\()\s*"(\.{1,2}\/[^"]+)"/g

/** Every file of `lib/` with its text. */
export function typescriptSources() {
  return new Map(
    [...filesBelow(LIB, ".ts"), ...filesBelow(LIB, ".mts")].map((file) => [file, read(LIB, file)]),
  )
}

/** Which files of `lib/` each file imports. The contract and the addon's loader are outside of it. */
export function typescriptArrows(sources) {
  const importsOf = (file, source) =>
    [...source.matchAll(IMPORT)]
      .map(([, path]) => posix.join(posix.dirname(file), path).replace(/\.js$/, ".ts"))
      .filter((path) => !path.startsWith(".."))
  return new Map([...sources].map(([file, source]) => [file, new Set(importsOf(file, source))]))
}
