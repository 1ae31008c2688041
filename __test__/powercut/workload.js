// workload.js <options as JSON>: works on a file under the recorder, and reports its commits through marks,
// which laws.js reads: `begin` before a commit, with its writes; `done` with its versionstamp once it is
// acknowledged, `failed` if it rejects.
import { once } from "node:events"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Kv } from "@buntime/keyval"
import { Control } from "../faults/control.js"
import { marker } from "../faults/log.js"
import { Random } from "../support/random.js"
import { start } from "../support/runtimes.js"

const options = JSON.parse(process.argv[2])
const { file, name, seed, rounds, durability, listen, reopen, calls, filler, isKilled } = options
/** Faults: from the beginning, or once the store is open; until the last rounds. */
const { faults, failsOpening, calmRounds } = options
/** The rounds before which another process takes a snapshot, and gives it back. */
const { snapshot: [takenAt, releasedAt] = [] } = options
const random = new Random(seed)
const write = marker(process.env.KEYVAL_FAULTS_LOG)
const mark = (type, more) => write(JSON.stringify({ type, name, ...more }))
const text = (mostBytes) => "some words ".repeat(random.int(mostBytes / 11))
/** Reads and writes of one turn share groups; more would only make all of them large. */
const MOST_AT_ONCE = 5
const SLOTS = 20
/** Keys of the bytes that fill the log, one after another. */
const FILLERS = 2

let kv
/**
 * Openings of one store that may fail in a row: each syncs a few times, and up to one of five syncs fails.
 */
const MOST_REFUSALS = 50
/** Stores that are being closed: their listeners end. */
const closing = new WeakSet()
let commits = 0

/** A store cannot be opened while the disk fails. Which process has set the faults, all feel them. */
function opened(refusals = 0) {
  try {
    return new Kv(file, { durability, busyTimeout: "1m", sweepInterval: 0 })
  } catch (error) {
    if (!faults || error.code !== "UNAVAILABLE" || refusals === MOST_REFUSALS) throw error
    return opened(refusals + 1)
  }
}

function open() {
  kv = opened()
  if (!listen) return
  const common = { lockDuration: "1m", onError() {} }
  const done = ({ value }) => mark("handled", { by: value.by })
  const settle = async (message) => {
    done(message)
    await kv.ackMessage(message.id)
    mark("settled", { by: message.value.by })
  }
  keepListening(kv, done, { ...common, queue: `auto ${name}`, concurrency: 3 })
  keepListening(kv, settle, { ...common, queue: `manual ${name}`, concurrency: 2, autoAck: false })
}

/** A listener that ends by itself is begun again, as long as its store is the current one. */
function keepListening(one, handler, options) {
  const listener = one.listenQueue(handler, options)
  listener.finished
    .catch(() => {})
    .then(() => {
      if (!closing.has(one)) keepListening(one, handler, options)
    })
}

async function close() {
  closing.add(kv)
  await kv.close()
}

async function reopened() {
  await close().catch(() => {})
  open()
}

/** One commit: `writes` are `[key, isSet]`; `run` does it, and its values have the id. */
async function commit(writes, more, run) {
  const id = `${name} ${++commits}`
  mark("begin", { id, writes: writes(id), ...more })
  try {
    const { versionstamp } = await run(id)
    mark("done", { id, versionstamp })
  } catch (error) {
    mark("failed", { id, code: error.code, outcome: error.outcome })
    if (error.code === "CLOSED") await reopened()
  }
}

const ACTIONS = {
  set(at) {
    const key = ["k", name, at]
    const pad = text(random.chance(0.7) ? 3000 : 150_000)
    return commit(
      () => [[key, true]],
      {},
      (by) => kv.set(key, { by, pad, n: at }),
    )
  },

  delete(at) {
    const key = ["k", name, at]
    return commit(
      () => [[key, false]],
      {},
      () => kv.atomic().delete(key).commit(),
    )
  },

  /** Three keys that are always changed together, an entry of its own, and a counter of those. */
  atomic() {
    const keys = [0, 1, 2].map((at) => ["t", name, at])
    const pad = text(20_000)
    const run = (by) => {
      const atomic = kv.atomic().sum(["count", name], 1n).set(["u", name, by], { by, pad })
      for (const key of keys) atomic.set(key, { by })
      return atomic.commit()
    }
    return commit((id) => [["u", name, id], ...keys].map((key) => [key, true]), { counts: true }, run)
  },

  message() {
    const queue = listen ? `${random.pick(["auto", "manual"])} ${name}` : `nobody's ${name}`
    const run = (by) => kv.atomic().set(["q", name, by], { by }).enqueue({ by }, { queue }).commit()
    return commit((id) => [[["q", name, id], true]], { message: true }, run)
  },

  /** What was read is not taken back. */
  async read(at) {
    const { versionstamp } = await kv.get(["k", name, at])
    if (versionstamp !== null) mark("read", { versionstamp })
  },
}

/** In each round so many bytes that the log is written into the file, and begun again, within the run. */
function fill(at) {
  const key = ["k", name, "filler", at % FILLERS]
  // SQLite does not write a page again that stays as it is.
  const pad = `${at},`.repeat(filler / 2).slice(0, filler)
  return commit(
    () => [[key, true]],
    {},
    (by) => kv.set(key, { by, pad, n: at }),
  )
}

const CALLS = {
  async load() {
    const id = `${name} ${++commits}`
    await kv.setMany(Array.from({ length: 40 }, (_, at) => ({ key: ["m", id, at], value: { by: id } })))
    mark("loaded", { id, count: 40 })
  },

  async index() {
    const which = random.pick([{ on: ["n"] }, { fields: ["pad"] }])
    await kv.createIndex(["k", name], which)
    mark("indexed", { prefix: ["k", name], of: which.on?.[0] ?? "search" })
  },

  async backup() {
    const path = random.pick(["one.db", "two.db", "new/folder/three.db"])
    mark("backing up", { path })
    const { versionstamp } = await kv.backup(join(dirname(file), path), { overwrite: true })
    mark("backed up", { path, versionstamp })
  },
}

const WEIGHTS = [
  "set",
  "set",
  "set",
  "set",
  "delete",
  "atomic",
  "atomic",
  "atomic",
  "message",
  "message",
  "read",
]

async function round(number) {
  const work = Array.from({ length: 1 + random.int(MOST_AT_ONCE) }, (_, at) =>
    // No key is written twice in one round, so the acknowledged order of a key's writes is its order.
    ACTIONS[random.pick(WEIGHTS)](random.int(SLOTS) * MOST_AT_ONCE + at),
  )
  if (filler) work.push(fill(number))
  await Promise.allSettled(work)
}

/** Another process takes a snapshot; gives what ends it. */
async function takeSnapshot() {
  const program = fileURLToPath(new URL("snapshot.js", import.meta.url))
  const { child, ended } = start("bun", program, [file], { stdio: ["pipe", "pipe", "pipe"] })
  await Promise.race([once(child.stdout, "data"), ended])
  mark("snapshot taken")
  return async () => {
    child.stdin.end()
    const { code, stderr } = await ended
    if (code !== 0) throw new Error(`the snapshot ended with ${code}: ${stderr}`)
    mark("snapshot released")
  }
}

function setFaults(control) {
  for (const [operation, kind, fault] of faults ?? []) control.fail(operation, kind, fault)
}

const control = new Control(process.env.KEYVAL_FAULTS_CONTROL)
if (failsOpening) setFaults(control)
open()
mark("opened")
if (!failsOpening) setFaults(control)
let release
for (let at = 1; at <= rounds; at++) {
  if (at === takenAt) release = await takeSnapshot()
  if (at === releasedAt) await release()
  if (at === rounds - calmRounds) control.clear()
  await round(at)
  if (calls && at % 4 === 0) await CALLS[random.pick(calls)]().catch(() => {})
  if (reopen && at % reopen === 0) await reopened()
}
// Where operations have failed, a closing would repair what a power cut has to find; another process may
// still be failing.
if (isKilled) process.kill(process.pid, "SIGKILL")
control.clear()
await close()
mark("closed")
