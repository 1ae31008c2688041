import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { runtimes } from "../support/runtimes.js"
import { needsFaults, withFaults } from "./index.js"

const ENTRIES = 500
/** Infinity does not pass through JSON. */
const EVER = 1e9

/**
 * Makes a file that no cache holds, and, unless it is closed, leaves all of it in the log. Handed over as
 * text.
 */
async function fill({ Kv, file, args: [isClosed, entries] }) {
  const kv = new Kv(file)
  await kv.createIndex(["k"], { fields: ["text"] })
  await kv.createIndex(["k"], { on: ["n"] })
  const entry = (n) => ({ key: ["k", n], value: { n, text: `word${n % 7} `.repeat(200) } })
  await kv.setMany(Array.from({ length: entries }, (_, n) => entry(n)))
  for (let n = 0; n < 100; n++) await kv.enqueue({ n, pad: "x".repeat(2000) })
  if (isClosed) await kv.close()
  else process.kill(process.pid, "SIGKILL")
}

/**
 * Makes each call on a copy of the file that was just opened, while reads fail, and again, on the same `Kv`,
 * when they pass. Handed over as text.
 */
async function readAndTell({ Kv, file, folder, faults, args: [operation, kind, fault] }) {
  const { copyFileSync, existsSync, rmSync } = await import("node:fs")
  const all = async (entries) => {
    let count = 0
    for await (const _ of entries) count++
    return count
  }
  /**
   * Subscriptions, which survive errors: the error that each reports first; then, once the disk works again,
   * what it delivers.
   */
  const living = (begin) => {
    let brought
    return async (kv) => {
      if (brought) return brought
      const { reported, end, failed } = begun(kv, begin)
      brought = reported.then(end)
      return Promise.race([reported, failed])
    }
  }
  const begun = (kv, begin) => {
    const parts = {}
    const reported = new Promise((resolve) => (parts.resolve = resolve))
    const failed = new Promise((_, reject) => (parts.reject = reject))
    const one = begin(kv, parts.resolve, parts.reject)
    return { reported, failed, end: () => one.stop() }
  }
  const CALLS = {
    get: (kv) => kv.get(["k", 250]),
    getMany: (kv) =>
      kv.getMany([
        ["k", 1],
        ["k", 400],
      ]),
    list: (kv) => all(kv.list(["k"])),
    count: (kv) => kv.count(["k"]),
    "where, by an index": (kv) => all(kv.list(["k"], { where: { n: { $gte: 490 } } })),
    "where, by looking": (kv) => all(kv.list(["k"], { where: { text: { $startsWith: "word3" } } })),
    search: (kv) => all(kv.search(["k"], "word3")),
    "a list of indexes": (kv) => kv.listIndexes(),
    changes: (kv) => all(kv.changes()),
    consumer: (kv) => kv.consumer("one").status(),
    queueStats: (kv) => kv.queueStats(),
    set: (kv) => kv.set(["k", 300], 1),
    atomic: (kv) =>
      kv
        .atomic()
        .check({ key: ["k", 301], versionstamp: null })
        .delete(["k", 301])
        .commit(),
    transaction: (kv) => kv.transaction(async (tx) => tx.set(["k", 2], (await tx.get(["k", 303])).value)),
    enqueue: (kv) => kv.enqueue(1),
    lock: (kv) => kv.lock("one").then((lock) => lock.release()),
    backup: (kv) => kv.backup(`${folder}/copy.db`, { overwrite: true }),
    watch: living((kv, resolve, onError) => kv.watch([["k", 250]], resolve, { onError })),
    listenQueue: living((kv, resolve, onError) => kv.listenQueue(resolve, { onError })),
  }
  /** All connections are open; the next commit makes them forget what they have read. */
  const warm = async (kv) => {
    await all(kv.list(["k"], { limit: 1 }))
    await kv.count(["k"])
    await kv.set(["other"], 1)
  }
  const outcome = async (call) => {
    try {
      await call()
      return ["passed"]
    } catch ({ code, retryable, message }) {
      return [code, retryable, message]
    }
  }
  const reported = {}
  for (const [name, call] of Object.entries(CALLS)) {
    const copy = `${folder}/${name.replace(/\W/g, "")}.db`
    for (const end of ["", "-wal"])
      if (existsSync(`${file}${end}`)) copyFileSync(`${file}${end}`, `${copy}${end}`)
    const kv = new Kv(copy, { sweepInterval: 0 })
    await warm(kv)
    const before = faults.injected(operation, kind)
    faults.fail(operation, kind, fault)
    const failed = await outcome(() => call(kv))
    faults.clear()
    const again = await outcome(() => call(kv))
    reported[name] = { failed, again, injected: faults.injected(operation, kind) - before }
    await kv.close()
    for (const end of ["", "-wal", "-shm"]) rmSync(`${copy}${end}`, { force: true })
  }
  return reported
}

/** Opens while operations fail, and again once they pass; reports both, and the number of failures. */
async function openAndTell({ Kv, file, faults, args: [all, ever] }) {
  const { copyFileSync, existsSync } = await import("node:fs")
  const outcome = async (path) => {
    try {
      const kv = new Kv(path, { sweepInterval: 0 })
      const count = await kv.count(["k"])
      await kv.close()
      return [count]
    } catch ({ code, retryable, message }) {
      return [code, retryable, message]
    }
  }
  const reported = []
  for (const [at, [operation, kind, errno]] of all.entries()) {
    const copy = file.replace("store", `copy-${at}`)
    for (const end of ["", "-wal"])
      if (existsSync(`${file}${end}`)) copyFileSync(`${file}${end}`, `${copy}${end}`)
    const before = faults.injected(operation, kind)
    faults.fail(operation, kind, { errno, times: ever })
    const failed = await outcome(copy)
    faults.clear()
    const again = await outcome(copy)
    reported.push({
      what: `${operation} ${kind} ${errno}`,
      failed,
      again,
      injected: faults.injected(operation, kind) - before,
    })
  }
  return reported
}

const RIGHT = ["UNAVAILABLE", true]
const ERRNOS = ["EIO", "EACCES", "EROFS", "ENOSPC"]
const OPENING = ["open db", "open wal", "open shm", "read db", "write shm", "truncate shm"]
/** A log is left that must be repaired. */
const OPENING_LOG = ["read wal", "write wal", "sync wal"]

/**
 * A system that cannot read is not a damaged file: no error advises a restore from a backup, and no
 * subscription ends. Seen to fail: without asking for the system's error, each call but the backup was
 * CORRUPT. Opening was right before.
 */
for (const runtime of runtimes)
  describe(`faults: reads in ${runtime}`, needsFaults, () => {
    for (const [isClosed, kind, where] of [
      [true, "db", "file"],
      [false, "wal", "log"],
    ]) {
      test(`a call that cannot read the ${where} is UNAVAILABLE, and passes when the disk reads again`, () =>
        withFaults(async ({ run, started, play }) => {
          await run(runtime, ...started(fill, [isClosed, ENTRIES]))
          const all = await play(runtime, readAndTell, ["read", kind, { times: EVER }])
          for (const [name, { failed, again, injected }] of Object.entries(all)) {
            assert.ok(injected > 0, `${name}: nothing was read`)
            assert.deepEqual(failed.slice(0, 2), RIGHT, `${name}: ${failed}`)
            // A message has no key. Seen to fail: its error began with "key []".
            assert.ok(!failed[2].includes("key []"), `${name}: ${failed}`)
            assert.deepEqual(again, ["passed"], `${name}, again: ${again}`)
          }
        }))

      test(`opening that cannot use the files, with all in the ${where}, is UNAVAILABLE, and passes later`, () =>
        withFaults(async ({ run, started, play }) => {
          await run(runtime, ...started(fill, [isClosed, ENTRIES]))
          const operations = [...OPENING, ...(isClosed ? [] : OPENING_LOG)]
          const all = ERRNOS.flatMap((errno) => operations.map((one) => [...one.split(" "), errno]))
          for (const { what, failed, again, injected } of await play(runtime, openAndTell, [all, EVER])) {
            assert.ok(injected > 0, `${what}: nothing failed`)
            assert.deepEqual(failed.slice(0, 2), RIGHT, `${what}: ${failed}`)
            assert.deepEqual(again, [ENTRIES], `${what}, again: ${again}`)
          }
        }))
    }
  })
