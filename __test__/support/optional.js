// What some tests need and not every machine has. A test asks: `test(name, optional("libfaketime"), …)`.
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { root } from "./runtimes.js"

const runs = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0

/** Where Debian and its children keep the library of libfaketime, the one for threads. */
export const FAKETIME = ["x86_64-linux-gnu", "aarch64-linux-gnu", "."]
  .map((place) => `/usr/lib/${place}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path))

/**
 * The package `deno` brings it in a package of the platform; without install scripts its launcher is only a
 * notice.
 */
export const DENO = findDeno()

function findDeno() {
  const scope = join(root, "node_modules/@deno")
  const packages = existsSync(scope) ? readdirSync(scope) : []
  return packages.map((name) => join(scope, name, "deno")).find((path) => existsSync(path))
}

const FOUND = {
  cc: () => process.platform === "linux" && runs("cc", "--version"),
  deno: () => DENO !== undefined,
  libfaketime: () => FAKETIME !== undefined,
  valgrind: () => runs("valgrind", "--version"),
}

/**
 * The options of a test that needs these tools: none where all are found, elsewhere a skip that names what is
 * missing. What `KEYVAL_REQUIRE` names (`cc,libfaketime`) must be there: then the test throws as it is
 * defined.
 */
export function optional(...tools) {
  const missing = tools.filter((tool) => !FOUND[tool]())
  if (missing.length === 0) return {}
  const required = (process.env.KEYVAL_REQUIRE ?? "").split(",")
  const refused = missing.filter((tool) => required.includes(tool))
  if (refused.length > 0) throw new Error(`KEYVAL_REQUIRE names ${refused}, which is not found here`)
  return { skip: `needs ${missing.join(", ")}` }
}
