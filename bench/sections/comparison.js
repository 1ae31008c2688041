// Every repetition runs each row on every peer before the next repetition begins, so that a noisy neighbour
// disturbs all alike. Ratios of one run decide; absolute figures only give the scale.
import { spawnSync } from "node:child_process"
import { ENTRIES } from "../data.js"
import { availablePeers, startPeers } from "../peers.js"
import { figure, median, spread, table } from "../report/figures.js"
import { Missing } from "../report/missing.js"
import { rows } from "../rows/rows.js"
import { besideRows } from "../rows/subscriptions.js"
import { LOG_COST, targets } from "../targets.js"

export const title = "Beside its peers"

/**
 * `roster`: the peers, as `availablePeers` gives them, and `flush`, which comes before each run, where a test
 * has others. `save` is given what was measured so far, row by row. A peer that fails is missing from there
 * on, with its reason; the others go on.
 */
export async function measure(options) {
  const { folder, quick, rows: names, peers: chosen, against, roster } = options
  const { save = () => {}, flush = flushDisk } = options
  const repetitions = quick ? 2 : 5
  const budgetMs = quick ? 60 : 600
  const wanted = chosenRows(names)
  const missing = new Missing()
  const known = roster ?? (await availablePeers({ chosen, against, missing }))
  const peers = startPeers(known, folder, missing)
  try {
    const ready = []
    for (const peer of peers) if (await prepare(peer, wanted, budgetMs, missing)) ready.push(peer)
    const samples = Object.fromEntries(ready.map(({ label }) => [label, {}]))
    const results = () => ({
      repetitions,
      budgetMs,
      rows: linesOf(wanted),
      peers: ready.map(described),
      samples,
      missing: missing.found,
    })
    const run = { peers: ready, wanted, repetitions, budgetMs, samples, missing, flush }
    await interleave(run, () => save(results()))
    for (const peer of ready) await missing.attempt(`${peer.label}: closing`, () => close(peer))
    return results()
  } finally {
    await Promise.all(peers.map((peer) => peer.end()))
  }
}

function described({ name, runtime, label, settings, versions, sqlite }) {
  const { version, runtime: runtimeVersion } = versions
  return { name, runtime, label, settings, version, runtimeVersion, sqlite }
}

/** The lines of the table: a row that times latencies has two. */
function linesOf(wanted) {
  return wanted.flatMap(({ name, unit, latency }) =>
    latency
      ? [
          { name, unit },
          { name: p95Of(name), unit, tail: true },
        ]
      : [{ name, unit }],
  )
}

/**
 * Rows whose names begin with one of the comma-separated names; a comma within a name is followed by a space
 * or a digit.
 */
function chosenRows(names) {
  if (names === undefined) return rows
  const wanted = names.split(/,(?![ \d])/)
  const unknown = wanted.find((part) => part === "" || !rows.some(({ name }) => name.startsWith(part)))
  if (unknown !== undefined) {
    const all = rows.map(({ name }) => name).join("; ")
    throw new Error(`No row begins with "${unknown}". There are: ${all}.`)
  }
  return rows.filter(({ name }) => wanted.some((part) => name.startsWith(part)))
}

const p95Of = (name) => `${name}: 95th percentile`

/** Loads its data, proves it right and warms it up. Gives whether that succeeded. */
async function prepare(peer, wanted, budgetMs, missing) {
  console.error(`${peer.label}: loading, checking, warming up …`)
  try {
    peer.versions = await peer.ask("open")
    await peer.ask("load")
    await peer.ask("validate")
  } catch (error) {
    missing.add(peer.label, error)
    return false
  }
  for (const row of wanted)
    if (peer.has(row))
      await missing.attempt(`${peer.label}: ${row.name}, warming up`, () =>
        peer.ask("run", { row: row.name, seed: 0, budgetMs: budgetMs / 5 }),
      )
  return true
}

/** Microseconds an operation: `samples[label][row name]` has one figure a repetition. */
async function interleave({ peers, wanted, repetitions, budgetMs, samples, missing, flush }, afterRow) {
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    console.error(`Repetition ${repetition} of ${repetitions} …`)
    for (const [index, row] of wanted.entries()) {
      const first = (repetition + index) % peers.length
      for (const peer of [...peers.slice(first), ...peers.slice(0, first)]) {
        if (!peer.has(row)) continue
        flush()
        const seed = repetition * rows.length + index
        const found = await missing.attempt(`${peer.label}: ${row.name}, repetition ${repetition}`, () =>
          peer.ask("run", { row: row.name, seed, budgetMs }),
        )
        if (found !== undefined) record(samples[peer.label], row, found)
      }
      await afterRow()
    }
  }
}

function record(figures, row, { us, p95 }) {
  figures[row.name] = [...(figures[row.name] ?? []), us]
  if (row.latency) figures[p95Of(row.name)] = [...(figures[p95Of(row.name)] ?? []), p95]
}

async function close(peer) {
  if (peer.lost) return // it is in the list
  peer.sqlite = peer.sqliteVersion()
  await peer.ask("close")
}

/** Flushes the page cache, so that a sync does not write the previous peer's data. */
function flushDisk() {
  if (process.platform !== "win32") spawnSync("sync")
}

export function markdown(data) {
  const { repetitions, budgetMs, rows: measured, peers, samples } = data
  const compared = peers.filter(({ name }) => name !== "keyval-without-log")
  const scale = ({ unit }) => (unit === "ms" ? 1 / 1000 : 1)
  const times = measured.map((row) => [
    row.name,
    ...compared.map(({ label }) => spread(samples[label][row.name], scale(row))),
  ])
  return [
    `## ${title}`,
    `${repetitions} interleaved repetitions of ${budgetMs} ms a row and peer, after a warm-up; a figure is their median, with the
smallest and the largest in brackets. Every peer: a file on disk, ${ENTRIES.toLocaleString("en")} entries of about 200 bytes
preloaded, keys drawn by the same seeded generator, new bytes in every write, every commit synced. "At once": issued
together, then awaited together. A latency is that of one message or change at a time, from before the call to the handler
or callback in the same process: the median of a repetition. "–": the peer has no such call. The ratios of this one run
decide, not the figures.`,
    "### Time an operation, in µs unless it says ms",
    table(["", ...compared.map(({ label }) => label)], times),
    ...ratios(data),
    logCost(data),
    waitersCost(data),
    "### Peers",
    table(
      ["", "version", "SQLite", "runtime", "settings"],
      peers.map((peer) => [peer.label, peer.version, peer.sqlite ?? "", peer.runtimeVersion, peer.settings]),
      "---",
    ),
  ]
    .filter(Boolean)
    .join("\n\n")
}

/** KeyVal in the runtime of a peer; a peer in Deno is compared with Node. */
export function oursFor(peers, { runtime }) {
  const wanted = runtime === "deno" ? "node" : runtime
  return peers.find((peer) => peer.name === "keyval" && peer.runtime === wanted)
}

function ratios({ rows: measured, peers, samples }) {
  const others = peers.filter((peer) => !peer.name.startsWith("keyval") && oursFor(peers, peer))
  if (others.length === 0) return []
  const cell = (row, peer) => {
    const theirs = samples[peer.label][row.name]
    const ours = samples[oursFor(peers, peer).label][row.name]
    if (!theirs || !ours) return "–"
    const ratio = median(theirs) / median(ours)
    const target = targets[row.name]?.[peer.name]
    if (target === undefined) return `${figure(ratio)}×`
    return `${figure(ratio)}× (${target}×: ${ratio >= target ? "met" : "**missed**"})`
  }
  return [
    "### How many times faster KeyVal is, and the target",
    table(
      ["", ...others.map(({ label }) => `than ${label}`)],
      measured.map((row) => [row.name, ...others.map((peer) => cell(row, peer))]),
    ),
  ]
}

function logCost({ rows: measured, peers, samples }) {
  const without = peers.find(({ name }) => name === "keyval-without-log")
  const ours = without && oursFor(peers, without)
  if (!ours) return ""
  const shared = measured.filter(({ name }) => samples[without.label][name] && samples[ours.label][name])
  if (shared.length === 0) return ""
  const cost = ({ name }) => median(samples[ours.label][name]) / median(samples[without.label][name]) - 1
  return [
    "### What the change log costs a write",
    ...shared.map(
      (row) =>
        `- ${row.name}: ${(100 * cost(row)).toFixed(0)} %${row.name.includes("64") ? ` (at most ${100 * LOG_COST} %: ${cost(row) <= LOG_COST ? "met" : "**missed**"})` : ""}`,
    ),
  ].join("\n")
}

/**
 * The cost of 500 waiters that a call does not concern: how many times as long the call takes beside them.
 */
function waitersCost({ rows: measured, peers, samples }) {
  const shown = besideRows.filter(({ name }) => measured.some((row) => row.name === name))
  const ours = peers.filter((peer) => ["keyval", "against"].includes(peer.name))
  const cell = ({ name, alone }, { label }) => {
    const [beside, without] = [samples[label][name], samples[label][alone]]
    return beside && without ? `${figure(median(beside) / median(without))}×` : "–"
  }
  if (shown.length === 0 || ours.length === 0) return ""
  return [
    "### What 500 idle waiters cost",
    "How many times as long the same call takes beside them as without them.",
    table(
      ["", ...ours.map(({ label }) => label)],
      shown.map((row) => [row.name, ...ours.map((peer) => cell(row, peer))]),
    ),
  ].join("\n\n")
}
