// Plots as SVG, readable on light and on dark pages.
import { median } from "./figures.js"

const WIDTH = 860
const STYLE = `<style>
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 14px }
  .soft { fill: #57606a } .grid { stroke: #d0d7de } .ours { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #3d444d }
  }
</style>`
const COLORS = {
  "KeyVal (Node)": "#1f6feb",
  "KeyVal (Bun)": "#58a6ff",
  "better-sqlite3 by hand (Node)": "#bf8700",
  "bun:sqlite by hand (Bun)": "#e3b341",
  "lmdb (Node)": "#2da44e",
  "Deno.openKv (Deno)": "#a475f9",
  "@deno/kv (Node)": "#cf222e",
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
  const columns = 4
  return labels.map((label, index) => {
    const x = 20 + (index % columns) * 208
    const at = y + Math.floor(index / columns) * 20
    return [
      `<circle cx="${x}" cy="${at - 4}" r="5" fill="${COLORS[label]}"/>`,
      text(x + 11, at, label, label.startsWith("KeyVal") ? 'class="ours"' : ""),
    ]
  })
}

/** A dot a peer and row: the time of an operation. */
export function comparisonPlot({ rows, peers, samples }) {
  const labels = peers.map(({ label }) => label).filter((label) => label in COLORS)
  const figures = rows.map(({ name }) =>
    labels
      .filter((label) => samples[label][name])
      .map((label) => ({ label, us: median(samples[label][name]) })),
  )
  const all = figures.flat().map(({ us }) => us)
  const top = 92
  const height = top + rows.length * 26 + 40
  const { at, ticks } = logAxis(Math.min(...all), Math.max(...all), 250, WIDTH - 30)
  const bottom = height - 34
  const grid = ticks.map((us) => [
    line(at(us), top - 8, at(us), bottom, 'class="grid"'),
    text(at(us).toFixed(1), bottom + 18, duration(us), 'text-anchor="middle" class="soft"'),
  ])
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
  return svg(height, title, [text(20, 24, title, 'class="title"'), legend(labels, 48), grid, dots])
}

const isOurs = ({ label }) => label.startsWith("KeyVal")

const LINES = {
  get: ["get, one at a time", "#1f6feb"],
  get64: ["get, 64 at once", "#58a6ff"],
  set: ["set, one at a time", "#cf222e"],
  set64: ["set, 64 at once", "#bf8700"],
  page: ["page of 100", "#2da44e"],
}

/** A line an operation, over the number of entries. */
export function growthPlot({ steps }) {
  const height = 400
  const [left, right, top, bottom] = [70, WIDTH - 170, 50, height - 50]
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
  ]
  const lines = names.map((name) => {
    const [label, color] = LINES[name]
    const points = steps.map((step) => [x.at(step.entries).toFixed(1), y.at(step[name]).toFixed(1)])
    return [
      `<polyline points="${points.map((point) => point.join(",")).join(" ")}" fill="none" stroke="${color}" stroke-width="2"/>`,
      points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${color}"/>`),
      text(right + 12, Number(points.at(-1)[1]) + 4, label),
    ]
  })
  const title = "Time an operation by the size of the store, both axes logarithmic (KeyVal in Node)"
  return svg(height, title, [text(20, 24, title, 'class="title"'), grid, lines])
}
