import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { runtimes } from "../support/runtimes.js"
import { needsFaults, withFaults } from "./index.js"

/** Opens, and reports a set that failed. Handed over as text. */
async function setAndTell({ Kv, file, faults, args: [operation, kind, fault] }) {
  const kv = new Kv(file)
  await kv.set(["before"], 1)
  faults.fail(operation, kind, fault)
  const reported = await kv.set(["a"], "x".repeat(20_000)).then(
    () => "ok",
    ({ code, outcome }) => [code, outcome],
  )
  faults.clear()
  await kv.close().catch(() => {})
  return reported
}

/**
 * The shim itself: its records, and that the chosen operations fail. Seen to fail: without `pwrite64`, and
 * without `fdatasync` in it, which the addon calls.
 */
for (const runtime of runtimes)
  describe(`faults: in ${runtime}`, needsFaults, () => {
    test("an acknowledged set is in the log after its writes and a successful sync", () =>
      withFaults(async ({ play, file, events }) => {
        await play(runtime, async ({ Kv, file, mark }) => {
          const kv = new Kv(file)
          mark("before")
          await kv.set(["a"], "needle in the log")
          mark("acknowledged")
          await kv.close()
        })
        const all = events()
        const at = (text) => all.findIndex((event) => event.text === text)
        const between = all.slice(at("before"), at("acknowledged"))
        const wrote = between.findIndex(({ data }) => data.includes("needle in the log"))
        const synced = between.findIndex((event) => event.type === "sync" && event.kind === "wal")
        assert.ok(wrote > 0 && synced > wrote, JSON.stringify(between.map(({ type }) => type)))
        assert.equal(between[synced].result, 0)
        assert.ok(all.some((event) => event.type === "create" && event.path === file))
        const closed = all.slice(at("acknowledged"))
        assert.ok(closed.some((event) => event.type === "unlink" && event.path === `${file}-wal`))
      }))

    test("a sync, a write, a short write and a read fail as requested, and nothing else does", () =>
      withFaults(async ({ play, faults }) => {
        const sync = await play(runtime, setAndTell, ["sync", "wal", { nth: 1 }])
        // The log was repaired with the next sync: the set is certainly undone, and no outcome is unknown.
        assert.deepEqual(sync, ["UNAVAILABLE", null])
        assert.equal(faults.injected("sync", "wal"), 1)
        for (const fault of [{ errno: "ENOSPC" }, { errno: "EIO", short: true }]) {
          const before = faults.injected("write", "wal")
          const reported = await play(runtime, setAndTell, ["write", "wal", { ...fault, times: 1000 }])
          assert.equal(typeof reported[0], "string")
          assert.ok(faults.injected("write", "wal") > before)
        }
        faults.fail("read", "db", { times: Infinity })
        const open = async ({ Kv, file }) => {
          try {
            await new Kv(file).close()
          } catch (error) {
            return error.code
          }
        }
        assert.equal(typeof (await play(runtime, open)), "string")
        faults.clear()
        assert.equal(await play(runtime, open), null)
      }))

    test("a process is killed at the change that was named", () =>
      withFaults(async ({ run, started, faults, events }) => {
        faults.killAt(40)
        const program = async ({ Kv, file }) => {
          const kv = new Kv(file)
          for (let at = 0; ; at++) await kv.set(["a", at], at)
        }
        const { signal } = await run(runtime, ...started(program))
        assert.equal(signal, "SIGKILL")
        assert.equal(faults.changes, 40)
        assert.ok(events().length > 20)
      }))
  })

describe("faults: both runtimes on one file", needsFaults, () => {
  test("their operations stand in one log, whole", () =>
    withFaults(async ({ play, events }) => {
      const program = async ({ Kv, file, mark, args: [name] }) => {
        const kv = new Kv(file, { busyTimeout: "1m" })
        for (let at = 0; at < 30; at++) {
          await kv.set(["a", name, at], "x".repeat(5000))
          mark(name, at)
        }
        await kv.close()
      }
      await Promise.all(runtimes.map((runtime) => play(runtime, program, [runtime])))
      const all = events()
      for (const name of runtimes) {
        const marks = all.filter(({ type, text }) => type === "mark" && text.startsWith(`${name} `))
        assert.deepEqual(
          marks.map(({ text }) => text),
          Array.from({ length: 30 }, (_, at) => `${name} ${at}`),
        )
      }
      const writers = new Set(all.filter(({ type }) => type === "write").map(({ pid }) => pid))
      assert.equal(writers.size, 2)
    }))
})
