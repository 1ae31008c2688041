import { statfsSync } from "node:fs"
import { cpus, release, totalmem, type } from "node:os"
import { ENTRIES } from "./data.js"

/** Magic numbers of statfs(2). */
const FILE_SYSTEMS = {
  61267: "ext4",
  2435016766: "btrfs",
  1481003842: "xfs",
  2035054128: "overlayfs",
  801189825: "zfs",
  16914836: "tmpfs",
  26985: "nfs",
  26: "apfs",
}

/** What the figures depend on, one line each. */
export function describeMachine(folder) {
  const cores = cpus()
  const magic = statfsSync(folder).type
  const fileSystem = FILE_SYSTEMS[magic] ?? `type 0x${magic.toString(16)}`
  return {
    Date: new Date().toISOString().slice(0, 10),
    CPU: `${cores[0].model.trim()}, ${cores.length} cores`,
    Memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    Kernel: `${type()} ${release()}`,
    "File system":
      fileSystem === "tmpfs" ? "tmpfs, where an fsync costs nothing: set KEYVAL_BENCH_DIR" : fileSystem,
  }
}

const LEFT_OUT = `better-sqlite3 is left out: for Node 20 it needs an install script (a download or a compiler), which this
repository does not run, and its releases that need none (13) are for Node 22 and later.`

/** The report of one run, in Markdown. */
export function markdown({ machine, peers, rows, samples, repetitions, budgetMs }) {
  const figures = rows.map((row) => [
    row.name,
    ...peers.map((peer) => spread(samples.get(peer)[row.name], row.unit)),
  ])
  return `${[
    "# KeyVal beside its peers",
    `Written by \`npm run bench\`. ${repetitions} interleaved repetitions of ${budgetMs} ms a row and peer, after a warm-up;
a figure is their median, with the smallest and the largest in brackets. Every peer: a file on disk,
${ENTRIES.toLocaleString("en")} entries of about 200 bytes preloaded, keys drawn by the same seeded generator, new bytes in every
write. "At once": issued together, then awaited together. A machine is noisy: the ratios of this one run decide, not
the figures.`,
    bullets(machine),
    "## Time an operation, in µs unless it says ms",
    table(["", ...peers.map(({ label }) => label)], figures, "--:"),
    ...ratios(peers, rows, samples),
    "## Peers",
    table(["", "version", "SQLite", "runtime", "settings"], peers.map(peerRow), "---"),
    LEFT_OUT,
  ].join("\n\n")}\n`
}

/** How many times faster KeyVal is than each peer, in the peer's own runtime. */
function ratios(peers, rows, samples) {
  const ours = (runtime) => peers.find((peer) => peer.name === "keyval" && peer.runtime === runtime)
  const others = peers.filter((peer) => peer.name !== "keyval" && ours(peer.runtime))
  if (others.length === 0) return []
  const ratio = (peer, { name }) =>
    median(samples.get(peer)[name]) / median(samples.get(ours(peer.runtime))[name])
  const cells = rows.map((row) => [row.name, ...others.map((peer) => `${figure(ratio(peer, row))}×`)])
  return [
    "## How many times faster KeyVal is, in the same runtime",
    table(["", ...others.map(({ label }) => `than ${label}`)], cells, "--:"),
  ]
}

function peerRow(peer) {
  return [peer.label, peer.versions.version, peer.sqliteVersion() ?? "", peer.versions.runtime, peer.settings]
}

function spread(microseconds, unit) {
  const [middle, least, most] = [
    median(microseconds),
    Math.min(...microseconds),
    Math.max(...microseconds),
  ].map((us) => figure(unit === "ms" ? us / 1000 : us))
  return `${middle} (${least}–${most})`
}

/** Three significant digits. */
function figure(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function bullets(facts) {
  return Object.entries(facts)
    .map(([name, fact]) => `- ${name}: ${fact}`)
    .join("\n")
}

function table(head, body, alignment) {
  const line = (cells) => `| ${cells.join(" | ")} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : alignment))), ...body.map(line)].join("\n")
}
