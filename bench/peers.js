// The modules in peers/, in the order of the tables.
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
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
  "redis",
  "bunqueue",
]

/**
 * The description of each peer by its module, once for each of its runtimes. `chosen`: comma-separated names;
 * `against`: the folder of another checkout, whose KeyVal is a peer too. A peer that cannot be used here is
 * in `missing`.
 */
export async function availablePeers({ chosen, skip = [], against, missing }) {
  const all = readdirSync(PEERS).map((file) => file.replace(/\.js$/, ""))
  const names = chosen?.split(",") ?? all.filter((name) => !skip.includes(name))
  const unknown = names.find((name) => !all.includes(name))
  if (unknown !== undefined) throw new Error(`There is no peer "${unknown}". There are: ${all.join(", ")}.`)
  const peers = []
  for (const name of names.sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b)))
    peers.push(...((await missing.attempt(name, () => peersOf(name, missing))) ?? []))
  if (against !== undefined)
    peers.push(...((await missing.attempt(against, () => otherCheckout(against))) ?? []))
  return peers
}

async function peersOf(name, missing) {
  const module = join(PEERS, `${name}.js`)
  const { title, settings, runtimes, only, available, absent } = await import(module)
  if (available?.() === false) {
    missing.add(title, absent ?? "it could not be compiled here", true)
    return []
  }
  const label = (runtime) => `${title} (${RUNTIME_NAMES[runtime]})`
  return runtimes.map((runtime) => ({ name, label: label(runtime), settings, only, runtime, module }))
}

/** KeyVal as another checkout has built it. */
async function otherCheckout(folder) {
  const root = resolve(folder)
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const git = spawnSync("git", ["-C", root, "rev-parse", "--short", "HEAD"], { encoding: "utf8" })
  const called = git.status === 0 ? `KeyVal ${version}, ${git.stdout.trim()}` : `KeyVal ${version}`
  const peers = await peersOf("keyval")
  const label = (runtime) => `${called} (${RUNTIME_NAMES[runtime]})`
  return peers.map((peer) => ({ ...peer, name: "against", label: label(peer.runtime), root }))
}

/** A process for each of them, with its file in `folder`; one whose runtime is not here is in `missing`. */
export function startPeers(peers, folder, missing) {
  return peers.flatMap((peer) => {
    try {
      return [new PeerProcess({ ...peer, folder })]
    } catch (error) {
      missing.add(peer.label, error)
      return []
    }
  })
}
