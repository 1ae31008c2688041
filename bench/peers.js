// The modules in peers/, in the order of the tables.
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { PeerProcess } from "./peer-process.js"

const PEERS = join(import.meta.dirname, "peers")
const RUNTIME_NAMES = { node: "Node", bun: "Bun", deno: "Deno" }
const ORDER = [
  "keyval",
  "keyval-without-log",
  "better-sqlite3",
  "bun-sqlite",
  "libsql",
  "lmdb",
  "classic-level",
  "deno",
  "deno-kv",
  "keyv-sqlite",
]

/** What each peer's module says of it, once for each of its runtimes. `chosen`: names with commas between. */
export async function availablePeers(chosen, skip = []) {
  const all = readdirSync(PEERS).map((file) => file.replace(/\.js$/, ""))
  const names = chosen?.split(",") ?? all.filter((name) => !skip.includes(name))
  const unknown = names.find((name) => !all.includes(name))
  if (unknown !== undefined) throw new Error(`There is no peer "${unknown}". There are: ${all.join(", ")}.`)
  const peers = []
  for (const name of names.sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b))) {
    const module = await import(join(PEERS, `${name}.js`))
    const { title, settings, runtimes, only } = module
    if (module.available?.() === false) console.error(`${title} is not here and is left out.`)
    else
      for (const runtime of runtimes)
        peers.push({ name, label: `${title} (${RUNTIME_NAMES[runtime]})`, settings, only, runtime })
  }
  return peers
}

/** A process for each of them, with its file in `folder`. */
export async function startPeers(folder, chosen, skip) {
  const peers = await availablePeers(chosen, skip)
  return peers.map((peer) => new PeerProcess({ ...peer, folder }))
}
