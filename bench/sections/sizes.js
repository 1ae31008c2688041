// Gets and sets of values from 20 bytes to 1 MiB, one at a time.
import { median, spread, table } from "../figures.js"
import { startPeers } from "../peers.js"

/** One of each kind: more would say the same again. */
const PEERS = "keyval,better-sqlite3,bun-sqlite,lmdb,deno-kv"
const SIZES = [20, 200, 2_000, 20_000, 200_000, 2 ** 20]

export async function measure({ folder, quick, peers: chosen }) {
  const repetitions = quick ? 1 : 3
  const budgetMs = quick ? 50 : 400
  const peers = await startPeers(folder, chosen ?? PEERS)
  const empty = () => Object.fromEntries(SIZES.map((bytes) => [bytes, { get: [], set: [] }]))
  const samples = Object.fromEntries(peers.map(({ label }) => [label, empty()]))
  try {
    for (const peer of peers) await peer.ask("open")
    for (let repetition = 1; repetition <= repetitions; repetition++) {
      console.error(`Repetition ${repetition} of ${repetitions} …`)
      for (const bytes of SIZES) {
        for (const peer of peers) {
          const found = await peer.ask("size", { bytes, seed: repetition, budgetMs })
          const figures = samples[peer.label][bytes]
          if (found.refused) figures.refused = true
          else for (const name of ["get", "set"]) figures[name].push(found[name])
        }
      }
    }
    for (const peer of peers) await peer.ask("close")
  } finally {
    for (const peer of peers) peer.kill()
  }
  return { repetitions, budgetMs, sizes: SIZES, labels: peers.map(({ label }) => label), samples }
}

export function markdown({ repetitions, budgetMs, sizes, labels, samples }) {
  const row = (bytes, name) =>
    labels.map((label) => {
      const { refused, [name]: values } = samples[label][bytes]
      return refused ? "refused" : repetitions > 1 ? spread(values) : `${median(values).toFixed(1)}`
    })
  const rows = ["get", "set"].flatMap((name) =>
    sizes.map((bytes) => [`${name}, ${bytes.toLocaleString("en")} B`, ...row(bytes, name)]),
  )
  return [
    "## Sizes of values",
    `µs an operation, one at a time; ${repetitions} interleaved repetitions of ${budgetMs} ms. A value is an object with one text of hex
digits. @deno/kv refuses more than 64 KiB.`,
    table(["", ...labels], rows),
  ].join("\n\n")
}
