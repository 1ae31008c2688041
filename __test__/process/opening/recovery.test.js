import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Crew, sleep } from "../../support/crew.js"
import { nodeOnly, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const CALLS = [
  "get",
  "getMany",
  "count",
  "list",
  "paginate",
  "set",
  "changes",
  "open",
  "watch",
  "watch and set",
  "watch and set beside",
  "watch and stop",
  "listen",
  "lock",
]
/** So long the other one recovers; far less than anybody's patience. */
const RECOVERY_MS = 150

/**
 * After a crash one process recovers the write-ahead log. The others wait for it, as long as `busyTimeout`
 * says. Seen to fail: a connection for reading without a busy timeout. And with an event loop that did not go
 * on before the other one had ended: the first list and the first feed, which waited for their connection; a
 * watch, which waited for a lock that the reader thread held while it waited for the watch's place; a watch
 * that was begun or stopped while a look for other watches waited with their lock.
 */
describe(
  "process: while another one recovers the log",
  process.platform === "linux" ? { ...nodeOnly, concurrency: 2 } : { skip: "locks of Linux" },
  () => {
    for (const runtime of runtimes) {
      const cases = CALLS.flatMap((call) => ["new", "used"].map((age) => [call, age]))
      for (const [call, age] of cases) {
        test(`${runtime}: ${call} waits, of a Kv that is ${age}`, { timeout: 600_000 }, async () => {
          const folder = tempFolder()
          const crew = new Crew()
          const file = join(folder.path, "store.db")
          try {
            const one = crew.launch(runtime, "opening/recovered.js", [file, call, age])
            await one.says(/ready/)
            const other = crew.launch("bun", "opening/recover.js", [file])
            await other.says(/recovering/)
            await one.ask("go", /begins/)
            // Opening is the only call that holds up the event loop.
            if (call !== "open") await one.says(/goes on/)
            await sleep(RECOVERY_MS)
            await other.end()
            assert.equal(await one.says(/^ended/), "ended well")
            await one.end()
          } finally {
            await crew.dismiss()
            folder.dispose()
          }
        })
      }
    }
  },
)
