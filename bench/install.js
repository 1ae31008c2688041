// Installs the peers. Two of them are compiled here, with a C compiler and Node's headers, since no install
// script of a dependency is run; if that fails, the run goes on without them and says so.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

const here = import.meta.dirname
/** better-sqlite3 by itself; sqlite3 for @keyv/sqlite. */
const COMPILED = ["better-sqlite3", "sqlite3"]

export function installPeers() {
  const lock = readFileSync(join(here, "package-lock.json"), "utf8")
  const mark = join(here, "node_modules/.installed")
  if (existsSync(mark) && readFileSync(mark, "utf8") === lock) return
  console.error("Installing the peers in bench/ …")
  // Not `npm ci`: see scripts/support.mjs.
  if (npm(["install", "--no-save"]) !== 0) {
    console.error("The peers could not be installed; those that are not here are missing.")
    return
  }
  for (const name of COMPILED) {
    console.error(`Compiling ${name} …`)
    if (npm(["rebuild", name, "--ignore-scripts=false"], compileHere()) !== 0)
      console.error(`${name} could not be compiled; its peer is left out.`)
  }
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

/** Uses the headers that came with Node, so that none are downloaded. */
function compileHere() {
  const prefix = dirname(dirname(process.execPath))
  const headers = existsSync(join(prefix, "include/node/node.h")) ? { npm_config_nodedir: prefix } : {}
  return { npm_config_build_from_source: "true", ...headers }
}
