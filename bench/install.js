// Installs the peers. better-sqlite3 is compiled here, since no install script of a dependency is run: with a C compiler
// and Node's headers; where that fails the run goes on without it and says so.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

const here = import.meta.dirname

export function installPeers() {
  const lock = readFileSync(join(here, "package-lock.json"), "utf8")
  const mark = join(here, "node_modules/.installed")
  if (existsSync(mark) && readFileSync(mark, "utf8") === lock) return
  console.error("Installing the peers in bench/ …")
  // Not `npm ci`: see scripts/support.mjs.
  if (npm(["install", "--no-save"]) !== 0) process.exit(1)
  if (npm(["rebuild", "better-sqlite3", "--ignore-scripts=false"], compileHere()) !== 0)
    console.error("better-sqlite3 could not be compiled; it is left out.")
  writeFileSync(mark, lock)
}

function npm(args, env = {}) {
  const shell = process.platform === "win32"
  return spawnSync("npm", args, {
    cwd: here,
    stdio: ["ignore", 2, 2],
    shell,
    env: { ...process.env, ...env },
  }).status
}

/** Headers that came with Node are taken, so that none are downloaded. */
function compileHere() {
  const prefix = dirname(dirname(process.execPath))
  const headers = existsSync(join(prefix, "include/node/node.h")) ? { npm_config_nodedir: prefix } : {}
  return { npm_config_build_from_source: "true", ...headers }
}
