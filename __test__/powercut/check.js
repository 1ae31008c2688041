// bun check.js <options as JSON>: rebuilds the disk as of many moments of a log, opens each state, and prints
// what is wrong. In Bun, which has an SQLite of its own: it looks at a state only when KeyVal has closed it.
import { Database } from "bun:sqlite"
import { cpSync, mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Kv } from "@buntime/keyval"
import { readLog } from "../faults/log.js"
import { Random } from "../support/random.js"
import { tempFolder } from "../support/targets.js"
import { Disk } from "./disk.js"
import { broken, Reported } from "./laws.js"

const { log, root, before, scenario, mode, seed, states, kept, without, ignored } = JSON.parse(
  process.argv[2],
)
const MOST_KEPT = 3
const random = new Random(seed)
/**
 * `without`, to see the check fail: operations that count as not done, as if the code had omitted them.
 */
const events = readLog(log).filter(({ type, kind }) => type !== without?.type || kind !== without.kind)
/** `ignored`, for the same: syncs that count as failed, as if the code had ignored the failure. */
for (const event of events) if (event.type === "sync" && event.kind === ignored?.kind) event.result = -1
const place = tempFolder()

const DIFFERENT = `SELECT count(*) AS n FROM (SELECT key, op, versionstamp, max(seq) FROM kv_changes GROUP BY key) c
  LEFT JOIN kv_entries e ON c.key = e.key
  WHERE (c.op = 'delete') <> (e.key IS NULL) OR c.versionstamp <> coalesce(e.versionstamp, c.versionstamp)`

function sql(file) {
  const db = new Database(file)
  const one = (statement) => Object.values(db.query(statement).get())[0]
  const ids = (table) => db.query(`SELECT CAST(value AS TEXT) AS value FROM ${table}`).all()
  try {
    return {
      integrity: one("PRAGMA integrity_check"),
      clock: one("SELECT value FROM kv_meta WHERE key = 'clock'"),
      log: one(DIFFERENT),
      queued: new Set([...ids("kv_queue"), ...ids("kv_dlq")].map(writerOf)),
    }
  } catch (error) {
    return { integrity: error.message, clock: "", log: 0, queued: new Set() }
  } finally {
    db.close()
  }
}

/** The commit of a message; an older file has messages of no commit here. */
function writerOf({ value }) {
  try {
    return JSON.parse(value).by
  } catch {
    return undefined
  }
}

/** The content of an older file, as this version reads it. */
async function baseOf() {
  const base = new Map()
  if (!scenario.begins) return base
  const copy = join(place.path, "base.db")
  cpSync(join(before, scenario.store), copy)
  const kv = new Kv(copy, { sweepInterval: 0 })
  for await (const entry of kv.list([]))
    base.set(
      JSON.stringify(entry.key, (_, part) => (typeof part === "bigint" ? `${part}n` : part)),
      entry,
    )
  await kv.close()
  return base
}

/** Moments; most are beside something that matters; a few are anywhere. */
function moments() {
  const matters = events.flatMap(({ type }, at) => (type === "write" ? [] : [at, at + 1]))
  const pick = () => (random.chance(0.66) ? random.pick(matters) : random.int(events.length + 1))
  return random.many(states, pick).sort((one, other) => one - other)
}

const disk = new Disk({ root, before, mode, random })
const reported = new Reported()
const law = { ...scenario, base: await baseOf() }
const wrong = []
let at = 0
for (const moment of moments()) {
  for (; at < moment; at++) {
    if (events[at].type === "mark") reported.take(events[at].text)
    else disk.feed(events[at])
  }
  const state = join(place.path, "state")
  rmSync(state, { recursive: true, force: true })
  mkdirSync(state)
  const cut = disk.cut(state)
  // Opening repairs: what is kept is what was found.
  const found = join(place.path, "found")
  rmSync(found, { recursive: true, force: true })
  cpSync(state, found, { recursive: true })
  const reasons = await broken(state, law, reported, sql).catch((error) => [`threw: ${error.stack}`])
  if (reasons.length === 0) continue
  const folder = join(kept, `${mode}-${moment}-${cut}`)
  if (wrong.length < MOST_KEPT) cpSync(found, folder, { recursive: true })
  wrong.push({ mode, moment, cut, reasons: reasons.slice(0, 5), all: reasons.length, folder })
}
place.dispose()
const acknowledged = reported.acknowledged().length
console.log(
  JSON.stringify({ mode, states, events: events.length, acknowledged, failedSyncs: disk.failedSyncs, wrong }),
)
