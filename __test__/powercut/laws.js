import { existsSync } from "node:fs"
import { join } from "node:path"
import { Kv } from "@buntime/keyval"

/** The marks up to a cut: commits begun and acknowledged, messages handled. */
export class Reported {
  commits = new Map()
  handled = new Set()
  settled = []
  reads = []
  loads = []
  indexes = []
  backups = new Map()

  take(text) {
    const { type, ...mark } = JSON.parse(text)
    if (type === "begin") this.commits.set(mark.id, mark)
    else if (type === "done") this.commits.get(mark.id).versionstamp = mark.versionstamp
    else if (type === "failed") this.commits.get(mark.id).isRefused = mark.outcome !== "unknown"
    else if (type === "handled") this.handled.add(mark.by)
    else if (type === "settled") this.settled.push(mark)
    else if (type === "read") this.reads.push(mark)
    else if (type === "loaded") this.loads.push(mark)
    else if (type === "indexed") this.indexes.push(mark)
    else if (type === "backing up") this.backups.delete(mark.path)
    else if (type === "backed up") this.backups.set(mark.path, mark)
  }

  /** Commits that were acknowledged, in their order. */
  acknowledged() {
    const done = [...this.commits.values()].filter(({ versionstamp }) => versionstamp)
    return done.sort((one, other) => (one.versionstamp < other.versionstamp ? -1 : 1))
  }

  get isEmpty() {
    return this.acknowledged().length + this.loads.length + this.indexes.length === 0
  }
}

const nameOf = (key) => JSON.stringify(key, (_, part) => (typeof part === "bigint" ? `${part}n` : part))

/** The whole content of a state: through KeyVal, then, once it is closed, through SQL. */
async function read(file, sql, reported) {
  const kv = new Kv(file, { sweepInterval: 0 })
  const entries = new Map()
  const found = []
  try {
    for await (const entry of kv.list([])) entries.set(nameOf(entry.key), entry)
    const indexes = await kv.listIndexes()
    for (const { prefix, of } of reported.indexes) {
      const isThere = indexes.some((index) => nameOf(index.prefix) === nameOf(prefix) && index.name === of)
      const under = [...entries.values()].filter(({ key }) => nameOf(key.slice(0, 2)) === nameOf(prefix))
      const expected = under.filter(({ value }) => (of === "n" ? value.n >= 0 : value.pad !== "")).length
      const got = of === "n" ? kv.list(prefix, { where: { n: { $gte: 0 } } }) : kv.search(prefix, "words")
      let count = 0
      if (isThere) for await (const _ of got) count++
      found.push({ of, isThere, expected, count })
    }
  } finally {
    await kv.close()
  }
  return { entries, indexes: found, ...sql(file) }
}

/**
 * Checks a state after a power cut; gives its faults, each with its kind before a colon.
 *
 * @param {string} folder the state
 * @param {{ store: string, durable: string[], base: Map<string, object>, isSure: boolean }} scenario
 * `durable`: processes whose writes are acknowledged when they are on disk; `base`: entries that were there
 * at first; `isSure`: all are durable
 */
export async function broken(folder, { store, durable, base, isSure }, reported, sql) {
  const file = join(folder, store)
  const isDurable = ({ name }) => durable.includes(name)
  const acknowledged = reported.acknowledged()
  const must = acknowledged.filter(isDurable)
  if (!existsSync(file)) {
    const isRight =
      must.length === 0 && base.size === 0 && ![...reported.loads, ...reported.indexes].some(isDurable)
    return isRight ? [] : ["lost: the file is not there"]
  }
  let state
  try {
    state = await read(file, sql, reported)
  } catch (error) {
    return [`opens: ${error.code ?? ""} ${error.message}`]
  }
  const { clock, entries } = state
  return [
    ...(state.integrity === "ok" ? [] : [`integrity: ${state.integrity}`]),
    ...(state.log === 0 ? [] : [`log: ${state.log} keys of the change log differ from the entries`]),
    ...(existsSync(`${file}-wal`) ? ["opens: a log is left after closing"] : []),
    ...must.filter((one) => !(one.versionstamp <= clock)).map((one) => `lost: ${one.id}`),
    ...(isSure ? reported.reads : [])
      .filter((one) => !(one.versionstamp <= clock))
      .map((one) => `lost: ${one.versionstamp}, which was read`),
    ...[...base]
      .filter(([name, { versionstamp }]) => entries.get(name)?.versionstamp !== versionstamp)
      .map(([name]) => `lost: ${name}, of the older file`),
    ...wholeness(entries, reported, acknowledged, clock),
    ...loads(entries, reported.loads.filter(isDurable)),
    ...state.indexes.filter(({ isThere }) => isSure && !isThere).map(({ of }) => `lost: the index of ${of}`),
    ...state.indexes
      .filter(({ isThere, expected, count }) => isThere && expected !== count)
      .map(({ of, expected, count }) => `torn: the index of ${of} finds ${count} of ${expected}`),
    ...messages(state, reported, acknowledged, clock, isSure),
    ...backups(folder, reported, sql),
  ]
}

/**
 * A state is the result of the commits up to its clock, in order: no hole, nothing of later commits, nothing
 * torn.
 */
function wholeness(entries, reported, acknowledged, clock) {
  const expected = new Map()
  const wrong = []
  for (const { id, writes, versionstamp } of acknowledged)
    if (versionstamp <= clock)
      for (const [key, isSet] of writes)
        expected.set(nameOf(key), { id: isSet ? id : undefined, versionstamp })
  const touched = new Map()
  for (const { id, writes, versionstamp } of reported.commits.values())
    if (!versionstamp)
      for (const [key] of writes) touched.set(nameOf(key), [...(touched.get(nameOf(key)) ?? []), id])
  for (const { id, writes, isRefused } of reported.commits.values())
    if (isRefused && writes.some(([key]) => entries.get(nameOf(key))?.value.by === id))
      wrong.push(`torn: ${id} was refused and is there`)
  for (const [name, { id, versionstamp }] of expected) {
    const found = entries.get(name)
    // A commit that was not acknowledged may be there; it is a later one, or it was overwritten.
    const isOfAnother = touched.has(name) && (!found || touched.get(name).includes(found.value.by))
    if (found?.value.by !== id && !isOfAnother)
      wrong.push(`torn: ${name} is by ${found?.value.by} instead of ${id} at ${versionstamp}`)
  }
  for (const [name, { key, value }] of entries) {
    const writer = reported.commits.get(value?.by)
    if (writer && writer.versionstamp > clock)
      wrong.push(`order: ${name} is of ${writer.id}, after the last commit`)
    if (
      key[0] === "t" &&
      new Set([0, 1, 2].map((at) => entries.get(nameOf(["t", key[1], at]))?.value.by)).size > 1
    )
      wrong.push(`torn: ${name} is by ${value.by}, and the others are not`)
  }
  const owners = new Set([...reported.commits.values()].map(({ name }) => name))
  for (const name of owners) {
    const counter = Number(entries.get(nameOf(["count", name]))?.value ?? 0n)
    const counted = [...entries.values()].filter(({ key }) => key[0] === "u" && key[1] === name).length
    if (counter !== counted) wrong.push(`torn: the counter of ${name} is ${counter}, of ${counted} entries`)
  }
  return wrong
}

function loads(entries, reported) {
  const isWhole = ({ id, count }) =>
    Array.from({ length: count }, (_, at) => entries.has(nameOf(["m", id, at]))).every(Boolean)
  return reported.filter((one) => !isWhole(one)).map(({ id }) => `lost: entries of setMany ${id}`)
}

/** A message is there from its commit until it was handled. */
function messages({ queued }, reported, acknowledged, clock, isSure) {
  const wrong = []
  for (const { id, message, versionstamp } of acknowledged) {
    if (!message) continue
    const isThere = queued.has(id)
    if (versionstamp <= clock && !isThere && !reported.handled.has(id))
      wrong.push(`lost: the message of ${id}`)
    if (versionstamp > clock && isThere) wrong.push(`torn: the message of ${id} without its commit`)
  }
  if (isSure)
    for (const { by } of reported.settled)
      if (queued.has(by)) wrong.push(`back: the message of ${by}, acknowledged`)
  return wrong
}

function backups(folder, reported, sql) {
  return [...reported.backups.values()].flatMap(({ path, versionstamp }) => {
    const copy = join(folder, path)
    if (!existsSync(copy)) return [`lost: the backup ${path}`]
    const { integrity, clock } = sql(copy)
    return integrity === "ok" && clock === versionstamp ? [] : [`torn: the backup ${path}, ${integrity}`]
  })
}
