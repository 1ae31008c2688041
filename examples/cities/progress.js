const WIDTH = 30
const REDRAW_MS = 50

/** Draws a bar on a terminal; elsewhere prints a line each tenth. Call it with the number that is done. */
export function progressBar(label, total, output = process.stdout) {
  const start = performance.now()
  let drawnAt = 0
  let tenth = 0

  return (done) => {
    const share = done / total
    const now = performance.now()
    const rate = formatNumber((done / (now - start)) * 1000)
    const state = `${formatNumber(done)} of ${formatNumber(total)}, ${rate}/s`
    if (output.isTTY) {
      if (now - drawnAt < REDRAW_MS && done < total) return
      drawnAt = now
      const bar = "█".repeat(Math.round(share * WIDTH)).padEnd(WIDTH, "░")
      output.write(`\r${label} ${bar} ${state}\x1b[K${done === total ? "\n" : ""}`)
    } else if (Math.floor(share * 10) > tenth) {
      tenth = Math.floor(share * 10)
      output.write(`${label} ${tenth * 10}%: ${state}\n`)
    }
  }
}

/** A whole number with separators: 135,233. */
export function formatNumber(number) {
  return Math.round(number).toLocaleString("en-US")
}
