import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { runtimes } from "../support/runtimes.js"
import { needsFaults, withFaults } from "./index.js"

/**
 * Makes each call on a file of its own while an operation fails, and reports the cause of its error. Handed
 * over as text.
 */
async function failAndReport({ Kv, file, folder, faults }) {
  const { existsSync, copyFileSync } = await import("node:fs")
  const first = new Kv(file, { sweepInterval: 0 })
  const entry = (n) => ({ key: ["k", n], value: "x".repeat(3000) })
  await first.setMany(Array.from({ length: 500 }, (_, n) => entry(n)))
  await first.close()
  const calls = {
    write: ["write wal EIO", (kv) => kv.set(["a"], 1)],
    full: ["write wal ENOSPC", (kv) => kv.set(["a"], 1)],
    sync: ["sync wal EIO", (kv) => kv.set(["a"], 1)],
    read: ["read db EIO", (kv) => kv.get(["k", 400])],
    open: ["open db EACCES", () => new Kv(`${folder}/other.db`)],
    lock: ["lock shm ENOLCK", (kv) => kv.set(["a"], 1)],
    folder: ["mkdir other EACCES", () => new Kv(`${folder}/new/app.db`)],
    backup: ["rename other EIO", (kv) => kv.backup(`${folder}/copy.db`)],
  }
  const reported = {}
  for (const [name, [fault, call]] of Object.entries(calls)) {
    const copy = `${folder}/${name}.db`
    if (existsSync(file)) copyFileSync(file, copy)
    const kv = new Kv(copy, { sweepInterval: 0 })
    await kv.get(["k", 1])
    const [operation, kind, errno] = fault.split(" ")
    faults.fail(operation, kind, { times: 1e9, errno })
    const { code, cause } = await (async () => call(kv))().catch((error) => error)
    faults.clear()
    await kv.close()
    reported[name] = [code, cause instanceof Error, cause?.message, { ...cause }]
  }
  return reported
}

/**
 * An error of the disk has the system's own error as its cause, by the system's names. Seen to fail: no error
 * had a cause; an error of a lock was CORRUPT. SQLite tries for 10 s before it gives that one.
 */
for (const runtime of runtimes)
  describe(`faults: causes in ${runtime}`, needsFaults, () => {
    test("an error of the disk has what the system said as its cause", () =>
      withFaults(async ({ play, folder }) => {
        const [EIO, EACCES] = [
          { code: "EIO", errno: 5 },
          { code: "EACCES", errno: 13 },
        ]
        const ENOSPC = { code: "ENOSPC", errno: 28 }
        const expected = {
          write: { ...EIO, sqlite: "SQLITE_IOERR_WRITE", operation: "write", path: "write.db-wal" },
          full: { ...ENOSPC, sqlite: "SQLITE_FULL", operation: "write", path: "full.db" },
          sync: { ...EIO, sqlite: "SQLITE_IOERR_FSYNC", operation: "sync", path: "sync.db-wal" },
          read: { ...EIO, sqlite: "SQLITE_IOERR_CORRUPTFS", operation: "read", path: "read.db" },
          open: { ...EACCES, sqlite: "SQLITE_CANTOPEN", operation: "open", path: "other.db" },
          lock: {
            code: "ENOLCK",
            errno: 37,
            sqlite: "SQLITE_PROTOCOL",
            operation: "lock",
            path: "lock.db-shm",
          },
          folder: { ...EACCES, operation: "mkdir", path: "new" },
          backup: { ...EIO, operation: "rename", path: "copy.db" },
        }
        const reported = await play(runtime, failAndReport)
        for (const [name, known] of Object.entries(expected)) {
          const [code, isError, message, cause] = reported[name]
          const path = `${folder}/${known.path}`
          assert.deepEqual([code, isError], ["UNAVAILABLE", true], `${name}: ${reported[name]}`)
          assert.deepEqual(cause, { ...known, path }, name)
          assert.ok(message.startsWith(`${known.code}: `), message)
          assert.ok(message.endsWith(`, ${known.operation} '${path}'`), message)
        }
      }))
  })
