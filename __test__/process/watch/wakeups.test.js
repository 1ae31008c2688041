import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { Crew, until } from "../../support/crew.js"
import { nodeOnly, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const IDLE = 40
const COMMITS = 40

describe("process: whom commits of another process wake", nodeOnly, () => {
  for (const runtime of runtimes) {
    // Seen to fail: each commit had each listener, each feed and each loop ask for itself, 40 * 120 times.
    test(`one question for all that wait, and nothing is lost, in ${runtime}`, async (t) => {
      const folder = tempFolder()
      const crew = new Crew()
      const file = join(folder.path, "store.db")
      const kv = new Kv(file, { durability: "normal", busyTimeout: "1m", sweepInterval: 0 })
      try {
        const names = ["busy", ...Array.from({ length: IDLE }, (_, at) => `idle ${at}`)]
        const holders = names.map((name) => kv.consumer(name, { prefix: [name], lease: "1h" }))
        for (const holder of holders) await holder.read()
        const member = crew.launch(runtime, "watch/wakeups.js", [file, IDLE])
        await member.says(/waiting/)
        const asked = async () => Number((await member.ask("asked", /^asked/)).split(" ")[1])
        // Each asks for its messages, its changes and its lease once or twice before it waits.
        let before = 0
        const isAtRest = async () => {
          const last = before
          before = await asked()
          return last === before && before >= 3 * names.length
        }
        await until(isAtRest, () => `it does not come to rest, at ${before}`)
        for (let n = 0; n < COMMITS; n++) {
          await (n % 2 ? kv.set(["busy", n], n) : kv.enqueue(n, { queue: "busy" }))
          await member.says(n % 2 ? `change busy ${n}` : `message busy ${n}`)
        }
        const looks = (await asked()) - before
        t.diagnostic(`${looks} looks for ${COMMITS} commits`)
        assert.ok(looks < COMMITS * IDLE, `${looks} looks`)
        for (const holder of holders) await holder.release()
        const commit = kv.atomic()
        for (const name of names) commit.set([name, "end"], 1).enqueue("end", { queue: name })
        await commit.commit()
        for (const name of names)
          for (const what of ["message", "change", "consumed"]) await member.says(`${what} ${name} end`)
        await member.end()
      } finally {
        await crew.dismiss()
        await kv.close()
        folder.dispose()
      }
    })
  }
})
