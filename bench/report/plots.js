// Plots as SVG, readable on light and on dark pages.
import { median } from "./figures.js"

const WIDTH = 860
const LABEL_HEIGHT = 16
const LEGEND_COLUMNS = 4
/** Its own background, since a page may be dark where the reader's system is light. */
const STYLE = `<style>
  .page { fill: #ffffff }
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 14px }
  .soft { fill: #57606a } .grid { stroke: #d0d7de } .ours { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #3d444d }
  }
</style>
<rect class="page" width="100%" height="100%" rx="6"/>`
const COLORS = {
  "KeyVal (Node)": "#1f6feb",
  "KeyVal (Bun)": "#58a6ff",
  "better-sqlite3 by hand (Node)": "#bf8700",
  "bun:sqlite by hand (Bun)": "#e3b341",
  "libsql by hand (Node)": "#bc4c00",
  "lmdb (Node)": "#2da44e",
  "classic-level (Node)": "#8b949e",
  "Deno.openKv (Deno)": "#a475f9",
  "@deno/kv (Node)": "#cf222e",
  "keyv + @keyv/sqlite (Node)": "#e85aad",
}

/** A logarithmic axis from `least` to `most` over `from` to `to`, with its powers of ten. */
function logAxis(least, most, from, to) {
  const [low, high] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))]
  const at = (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from)
  return { at, ticks: Array.from({ length: high - low + 1 }, (_, step) => 10 ** (low + step)) }
}

function duration(us) {
  return us < 1000 ? `${us} µs` : us < 1e6 ? `${us / 1000} ms` : `${us / 1e6} s`
}

function svg(height, label, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">
${[STYLE, ...parts.flat(9)].join("\n")}
</svg>
`
}

const text = (x, y, content, attributes = "") => `<text x="${x}" y="${y}" ${attributes}>${content}</text>`
const line = (x1, y1, x2, y2, attributes) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1}" x2="${x2.toFixed(1)}" y2="${y2}" ${attributes}/>`

function legend(labels, y) {
  return labels.map((label, index) => {
    const x = 20 + (index % LEGEND_COLUMNS) * 208
    const at = y + Math.floor(index / LEGEND_COLUMNS) * 20
    return [
      `<circle cx="${x}" cy="${at - 4}" r="5" fill="${COLORS[label]}"/>`,
      text(x + 11, at, label, label.startsWith("KeyVal") ? 'class="ours"' : ""),
    ]
  })
}

/** Where and when it was measured. */
function provenance({ Date: date, CPU, "File system": fileSystem, Node }) {
  return `${CPU}; ${fileSystem}; Node ${Node}; ${date}`
}

/** A dot a peer and row: the time of an operation. `undefined` if there is none. */
export function comparisonPlot({ machine, repetitions, budgetMs, rows: measured, peers, samples }) {
  const labels = peers.map(({ label }) => label).filter((label) => label in COLORS)
  const rows = measured.filter(
    ({ name, tail }) => !tail && labels.some((label) => samples[label][name]?.length),
  )
  const figures = rows.map(({ name }) =>
    labels
      .filter((label) => samples[label][name])
      .map((label) => ({ label, us: median(samples[label][name]) })),
  )
  const all = figures.flat().map(({ us }) => us)
  if (all.length === 0) return undefined
  const top = 78 + 20 * Math.ceil(labels.length / LEGEND_COLUMNS)
  const height = top + rows.length * 26 + 58
  const { at, ticks } = logAxis(Math.min(...all), Math.max(...all), 250, WIDTH - 30)
  const bottom = height - 52
  const grid = ticks.map((us) => [
    line(at(us), top - 8, at(us), bottom, 'class="grid"'),
    text(at(us).toFixed(1), bottom + 18, duration(us), 'text-anchor="middle" class="soft"'),
  ])
  const axis = text(
    (250 + WIDTH - 30) / 2,
    bottom + 38,
    "time an operation",
    'text-anchor="middle" class="soft"',
  )
  const dots = rows.map(({ name }, index) => {
    const y = top + 12 + index * 26
    const ordered = figures[index].toSorted((a, b) => Number(isOurs(a)) - Number(isOurs(b)))
    return [
      text(240, y + 4, name.replace(/, ms$/, ""), 'text-anchor="end"'),
      line(250, y, WIDTH - 30, y, 'class="grid" stroke-dasharray="1 4"'),
      ordered.map(
        ({ label, us }) =>
          `<circle cx="${at(us).toFixed(1)}" cy="${y}" r="${isOurs({ label }) ? 7 : 5}" fill="${COLORS[label]}" fill-opacity="0.9"><title>${label}: ${us.toFixed(1)} µs</title></circle>`,
      ),
    ]
  })
  const title = "Time an operation, logarithmic: further left is faster. Every commit is synced to disk."
  const source = `Medians of ${repetitions} interleaved repetitions of ${budgetMs} ms. ${provenance(machine)}`
  const head = [text(20, 24, title, 'class="title"'), text(20, 42, source, 'class="soft"')]
  return svg(height, title, [head, legend(labels, 68), grid, axis, dots])
}

const isOurs = ({ label }) => label.startsWith("KeyVal")

const LINES = {
  get: ["get, one at a time", "#1f6feb"],
  get64: ["get, 64 at once", "#58a6ff"],
  set: ["set, one at a time", "#cf222e"],
  set64: ["set, 64 at once", "#bf8700"],
  page: ["page of 100", "#2da44e"],
}

/** The same places, moved down where they would be closer than `least`. */
function apart(places, least) {
  const moved = [...places]
  let previous = Number.NEGATIVE_INFINITY
  for (const index of [...places.keys()].sort((a, b) => places[a] - places[b])) {
    moved[index] = Math.max(places[index], previous + least)
    previous = moved[index]
  }
  return moved
}

/** A line an operation, over the number of entries; `undefined` where they are too few for a line. */
export function growthPlot({ machine, steps }) {
  if (steps.length < 2) return undefined
  const height = 430
  const [left, right, top, bottom] = [70, WIDTH - 170, 88, height - 50]
  const names = Object.keys(LINES)
  const all = steps.flatMap((step) => names.map((name) => step[name]))
  const x = logAxis(steps[0].entries, steps.at(-1).entries, left, right)
  const y = logAxis(Math.min(...all), Math.max(...all), bottom, top)
  const grid = [
    y.ticks.map((us) => [
      line(left, y.at(us).toFixed(1), right, y.at(us).toFixed(1), 'class="grid"'),
      text(left - 8, (y.at(us) + 4).toFixed(1), duration(us), 'text-anchor="end" class="soft"'),
    ]),
    x.ticks.map((entries) =>
      text(
        x.at(entries).toFixed(1),
        bottom + 20,
        entries.toLocaleString("en"),
        'text-anchor="middle" class="soft"',
      ),
    ),
    text((left + right) / 2, bottom + 40, "entries in the store", 'text-anchor="middle" class="soft"'),
    text(20, 66, "time an operation", 'class="soft"'),
  ]
  const labelsAt = apart(
    names.map((name) => y.at(steps.at(-1)[name])),
    LABEL_HEIGHT,
  )
  const lines = names.map((name, index) => {
    const [label, color] = LINES[name]
    const points = steps.map((step) => [x.at(step.entries).toFixed(1), y.at(step[name]).toFixed(1)])
    return [
      `<polyline points="${points.map((point) => point.join(",")).join(" ")}" fill="none" stroke="${color}" stroke-width="2"/>`,
      points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${color}"/>`),
      text(right + 12, (labelsAt[index] + 4).toFixed(1), label),
    ]
  })
  const title = "Time an operation by the size of the store, both axes logarithmic (KeyVal in Node)"
  const head = [text(20, 24, title, 'class="title"'), text(20, 42, provenance(machine), 'class="soft"')]
  return svg(height, title, [head, grid, lines])
}
