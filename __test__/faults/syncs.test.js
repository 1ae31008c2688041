import assert from "node:assert/strict"
import { once } from "node:events"
import { describe, test } from "node:test"
import { runtimes } from "../support/runtimes.js"
import { within } from "../support/waiting.js"
import { needsFaults, withFaults } from "./index.js"

/** Sets, and again on request. Handed over as text. */
async function setAtWord({ Kv, file, mark }) {
  const kv = new Kv(file)
  await kv.set(["before"], 1)
  console.log("ready")
  await new Promise((resolve) => process.stdin.once("data", resolve))
  await kv.set(["after"], 1)
  mark("acknowledged")
  process.exit()
}

/**
 * The process whose sync fails may be killed before it gets the error. The data that it could not write is
 * missing for all, so the next process writes the log again before it acknowledges anything. Seen to fail:
 * without announcing a commit before its sync, the other process appended to a log with a hole.
 */
for (const runtime of runtimes)
  describe(`faults: syncs in ${runtime}`, needsFaults, () => {
    test("after a process was killed by a failed sync, the next commit writes the log again", () =>
      withFaults(async ({ faults, start, run, started, events }) => {
        const { child, ended } = start(runtime, ...started(setAtWord), { stdio: ["pipe", "pipe", "pipe"] })
        await within(once(child.stdout, "data"), "the other process is ready")
        faults.fail("sync", "wal", { kills: true })
        const killed = await run(runtime, ...started(({ Kv, file }) => new Kv(file).set(["lost"], 1)))
        assert.equal(killed.signal, "SIGKILL")
        child.stdin.end("go")
        assert.equal((await ended).code, 0)
        const all = events()
        const failed = all.findIndex(({ type, result }) => type === "sync" && result !== 0)
        const acknowledged = all.findIndex(({ text }) => text === "acknowledged")
        const between = all.slice(failed, acknowledged)
        assert.ok(
          between.some(({ type, kind, offset }) => type === "write" && kind === "wal" && offset === 0),
          JSON.stringify(between.map(({ type, kind, offset }) => [type, kind, offset])),
        )
      }))
  })
