// Gets and sets of values from 20 bytes to 1 MiB, one at a time.

import { availablePeers, startPeers } from "../peers.js"
import { spread, table } from "../report/figures.js"
import { Missing } from "../report/missing.js"

/** One of each kind: more would say the same again. */
const PEERS = "keyval,better-sqlite3,bun-sqlite,lmdb,deno-kv"
const SIZES = [20, 200, 2_000, 20_000, 200_000, 2 ** 20]

export const title = "Sizes of values"

export async function measure({ folder, quick, peers: chosen, roster, save = () => {} }) {
  const repetitions = quick ? 1 : 3
  const budgetMs = quick ? 50 : 400
  const missing = new Missing()
  const known = roster ?? (await availablePeers({ chosen: chosen ?? PEERS, missing }))
  const peers = startPeers(known, folder, missing)
  const empty = () => Object.fromEntries(SIZES.map((bytes) => [bytes, { get: [], set: [] }]))
  const samples = Object.fromEntries(peers.map(({ label }) => [label, empty()]))
  const labels = peers.map(({ label }) => label)
  const results = () => ({ repetitions, budgetMs, sizes: SIZES, labels, samples, missing: missing.found })
  try {
    for (const peer of peers) await missing.attempt(peer.label, () => peer.ask("open"))
    for (let repetition = 1; repetition <= repetitions; repetition++) {
      console.error(`Repetition ${repetition} of ${repetitions} …`)
      for (const bytes of SIZES) {
        for (const peer of peers.filter(({ lost }) => !lost)) {
          const found = await missing.attempt(`${peer.label}: ${bytes} B, repetition ${repetition}`, () =>
            peer.ask("size", { bytes, seed: repetition, budgetMs }),
          )
          const figures = samples[peer.label][bytes]
          if (found?.refused) figures.refused = true
          else if (found) for (const name of ["get", "set"]) figures[name].push(found[name])
        }
        await save(results())
      }
    }
    for (const peer of peers.filter(({ lost }) => !lost))
      await missing.attempt(`${peer.label}: closing`, () => peer.ask("close"))
  } finally {
    await Promise.all(peers.map((peer) => peer.end()))
  }
  return results()
}

export function markdown({ repetitions, budgetMs, sizes, labels, samples }) {
  const row = (bytes, name) =>
    labels.map((label) => {
      const { refused, [name]: values } = samples[label][bytes]
      return refused ? "refused" : spread(values)
    })
  const rows = ["get", "set"].flatMap((name) =>
    sizes.map((bytes) => [`${name}, ${bytes.toLocaleString("en")} B`, ...row(bytes, name)]),
  )
  return [
    `## ${title}`,
    `µs an operation, one at a time; ${repetitions} interleaved repetitions of ${budgetMs} ms. A value is an object with one text of hex
digits. @deno/kv refuses more than 64 KiB.`,
    table(["", ...labels], rows),
  ].join("\n\n")
}
