import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { Crew, until } from "../../support/crew.js"
import { nodeOnly, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

describe("process: watches and listeners on a file that is locked", nodeOnly, () => {
  for (const runtime of runtimes) {
    test(`${runtime}: they outlive it, and nothing is handled twice`, { timeout: 600_000 }, async () => {
      const folder = tempFolder()
      const crew = new Crew()
      const file = join(folder.path, "store.db")
      const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
      try {
        const live = crew.launch(runtime, "queues/locked-file.js", [file])
        await live.says(/ready/)
        const locker = crew.launch("bun", "store/lock-file.js", [file])
        await locker.says(/ready/)
        await kv.enqueue(1)
        await kv.enqueue(2)
        await live.says(/^start 1 1$/)
        await locker.ask("lock", /^locked$/)
        // What was handled cannot be settled for longer than busyTimeout.
        await live.ask("end", /^end 1$/)
        await live.says(/^error BUSY$/)
        const set = kv.set(["a"], "written when it was free")
        await locker.ask("free", /^free$/)
        await set
        await live.says(/^watched written when it was free$/)
        await live.says(/^start 2 1$/)
        await live.ask("end", /^end 2$/)
        await until(async () => (await kv.queueStats()).total === 0, "what was handled is not gone")
        await live.end()
        const reported = live.lines.filter((line) => !line.startsWith("error"))
        assert.deepEqual(reported.sort(), [
          "closed false false",
          "end 1",
          "end 2",
          "ready",
          "start 1 1",
          "start 2 1",
          "watched written when it was free",
        ])
        assert.deepEqual([...new Set(live.lines.filter((line) => line.startsWith("error")))], ["error BUSY"])
        await locker.end()
      } finally {
        await crew.dismiss()
        await kv.close()
        folder.dispose()
      }
    })
  }
})
