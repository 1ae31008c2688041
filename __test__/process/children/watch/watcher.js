// watcher.js <file> <JSON { target, exact?, iterate?, slowMs? }> [<where its map is kept>]: follows a watch
// in a map. Prints "watching"; asked for "state", the map, and what no watch may do. With a place for its map
// it goes on where it was.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { hear, print, printJson } from "../lines.js"
import { isWatched, nameOf } from "./keys.js"

const [file, what, place] = process.argv.slice(2)
const { target, exact = false, iterate = false, slowMs = 0 } = JSON.parse(what)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const kept = place && existsSync(place) ? JSON.parse(readFileSync(place, "utf8")) : null
const map = new Map(kept?.entries)
const wrong = []
const reported = { batches: 0, entries: 0, resets: 0, initial: 0 }
let token = kept?.token ?? ""

function apply({ key, value, versionstamp }) {
  const name = nameOf(key)
  if (!isWatched({ target, exact }, key)) wrong.push(`reported of ${name}`)
  if (versionstamp === null) {
    if (value !== null) wrong.push(`${name} is gone and has a value`)
    map.delete(name)
    return
  }
  const before = map.get(name)
  if (before && versionstamp < before.versionstamp)
    wrong.push(`${name} went back from ${before.versionstamp} to ${versionstamp}`)
  map.set(name, { value: typeof value === "bigint" ? String(value) : value, versionstamp })
}

async function onBatch(entries, { versionstamp, initial, reset, dropped }) {
  reported.batches++
  reported.entries += entries.length
  if (initial) reported.initial++
  if (reset) reported.resets++
  if (reset) map.clear()
  if (dropped !== 0) wrong.push(`dropped ${dropped} keys`)
  if (entries.length > 500) wrong.push(`a batch of ${entries.length}`)
  if (new Set(entries.map(({ key }) => nameOf(key))).size < entries.length)
    wrong.push("a key twice in a batch")
  if (versionstamp < token && !reset) wrong.push(`the token went back from ${token} to ${versionstamp}`)
  token = versionstamp
  entries.forEach(apply)
  if (place) {
    writeFileSync(`${place}.new`, JSON.stringify({ token, entries: [...map] }))
    renameSync(`${place}.new`, place)
  }
  if (slowMs > 0) await wait(slowMs)
}

const options = { ...(exact ? { exact } : {}), ...(kept ? { from: kept.token } : {}) }

async function loop(batches) {
  for await (const { entries, ...info } of batches) await onBatch(entries, info)
}

const watch = iterate
  ? kv.watch(target, options)
  : kv.watch(target, onBatch, { ...options, onError: (error) => wrong.push(String(error?.stack ?? error)) })
const finished = iterate ? loop(watch) : watch.finished
print("watching")

hear({
  line() {
    printJson({ state: [...map].sort(([a], [b]) => (a < b ? -1 : 1)), reported, wrong })
  },
  async end() {
    watch.stop()
    await finished
    await kv.close()
  },
})
