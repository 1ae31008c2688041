// A dashboard in the terminal, fed by a watch; another process writes. In a terminal it redraws until Ctrl+C;
// else it prints lines and ends by itself.
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Kv, type KvEntryMaybe } from "@buntime/keyval"

const ROUTES = ["/", "/login", "/search", "/cart"]
/** Writes of the other process when nobody looks, 5 ms apart. */
const WRITES = 80
const FRAME_MS = 100
const [, program = "", role, path] = process.argv
const isTerminal = process.stdout.isTTY === true

/** The process beside it: counts requests, for ever in a terminal. */
async function write() {
  const kv = new Kv(path)
  const writes = process.argv.includes("--forever") ? Number.POSITIVE_INFINITY : WRITES
  for (let n = 1; n <= writes; n++) {
    const route = ROUTES[Math.floor(Math.random() ** 2 * ROUTES.length)] ?? "/"
    const ms = Math.ceil(Math.random() * 50)
    await kv
      .atomic()
      .sum(["stats", route, "requests"], 1)
      .max(["stats", route, "slowest"], ms)
      .set(["stats", route, "last"], ms)
      .commit()
    await sleep(5)
  }
  await kv.close()
}

/** The state that a watch has reported: one row a route. */
class Board {
  #cells = new Map<string, Map<string, number | bigint>>()

  tell(entries: KvEntryMaybe<number | bigint>[]) {
    for (const { key, value, versionstamp } of entries) {
      const [, route, field] = key.map(String) as [string, string, string]
      if (versionstamp === null) this.#cells.get(route)?.delete(field)
      else this.#row(route).set(field, value)
    }
  }

  #row(route: string) {
    const row = this.#cells.get(route) ?? new Map<string, number | bigint>()
    this.#cells.set(route, row)
    return row
  }

  get(route: string, field: string) {
    return this.#cells.get(route)?.get(field)
  }

  lines() {
    const head = [
      "route".padEnd(10),
      ...["requests", "last, ms", "worst, ms"].map((name) => name.padStart(9)),
    ].join("  ")
    const rows = [...this.#cells].sort().map(([route, row]) => {
      const cells = ["requests", "last", "slowest"].map((field) => String(row.get(field) ?? "–").padStart(9))
      return [route.padEnd(10), ...cells].join("  ")
    })
    return [head, ...rows]
  }
}

async function dashboard() {
  const folder = mkdtempSync(join(tmpdir(), "keyval-dashboard-"))
  const file = join(folder, "stats.db")
  const kv = new Kv(file)
  const board = new Board()
  let drawn = 0
  let batches = 0
  const began = performance.now()

  /** Draws over what it drew before. */
  function draw() {
    const lines = board.lines()
    if (isTerminal) process.stdout.write(`${drawn > 0 ? `\x1b[${drawn}A` : ""}\x1b[J${lines.join("\n")}\n`)
    else
      console.log(
        `${batches}: ${ROUTES.map((route) => `${route} ${board.get(route, "requests") ?? 0}`).join(", ")}`,
      )
    drawn = lines.length
  }

  // The callback is awaited: however fast the other process writes, there is one batch a frame, with the
  // newest state.
  const watch = kv.watch<number | bigint>({ prefix: ["stats"] }, async (entries) => {
    batches++
    board.tell(entries)
    draw()
    await sleep(FRAME_MS)
  })

  const writer = spawn(process.execPath, [program, "write", file, ...(isTerminal ? ["--forever"] : [])], {
    stdio: ["ignore", "ignore", "inherit"],
  })
  process.once("SIGINT", () => writer.kill())
  await once(writer, "exit")

  // After the last write the watch reports the state of the store.
  const isCurrent = async () => {
    for await (const { key, value } of kv.list(["stats"]))
      if (board.get(String(key[1]), String(key[2])) !== value) return false
    return true
  }
  for (let n = 0; n < 3000 && !(await isCurrent()); n++) await sleep(20)
  watch.stop()
  await watch.finished
  if (!isTerminal) {
    assert.ok(await isCurrent())
    const requests = ROUTES.reduce((sum, route) => sum + BigInt(board.get(route, "requests") ?? 0), 0n)
    assert.equal(requests, BigInt(WRITES))
    // One of the state at the beginning, and one a frame; timers may be a little early.
    const frames = (performance.now() - began) / (FRAME_MS - 5)
    assert.ok(batches <= 2 + frames, `${batches} batches`)
  }
  await kv.close()
  rmSync(folder, { recursive: true })
  console.log("live-dashboard: ok")
}

await (role === "write" ? write() : dashboard())
