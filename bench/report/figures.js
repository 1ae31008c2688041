// Figures and tables in Markdown.

/** Three significant digits. */
export function figure(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The smallest value that so many in a hundred do not exceed. */
export function percentile(values, percent) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]
}

/** The median with the smallest and the largest; `-` for nothing. */
export function spread(values, scale = 1) {
  if (!values?.length) return "–"
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)]
  return `${figure(middle * scale)} (${figure(least * scale)}–${figure(most * scale)})`
}

export function table(head, body, alignment = "--:") {
  const line = (cells) => `| ${cells.join(" | ")} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : alignment))), ...body.map(line)].join("\n")
}

export function bullets(facts) {
  return Object.entries(facts)
    .map(([name, fact]) => `- ${name}: ${fact}`)
    .join("\n")
}

/** A value beside its bound. */
export function judged(value, bound, unit) {
  if (value === undefined || value === null) return "missing"
  return `${figure(value)} ${unit} (at most ${bound}: ${value <= bound ? "met" : "**missed**"})`
}
