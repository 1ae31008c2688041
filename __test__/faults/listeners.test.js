import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { runtimes } from "../support/runtimes.js"
import { needsFaults, withFaults } from "./index.js"

/** A listener, and a commit of its settlement that fails; handed over as text. */
async function failOnce({ Kv, file, faults, args: [operation, fault] }) {
  const kv = new Kv(file)
  const [seen, ends, errors] = [{}, {}, []]
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  const handler = async ({ value, attempts }) => {
    seen[value] = (seen[value] ?? 0) + 1
    if (attempts === 1 && value !== "later") await new Promise((end) => (ends[value] = end))
  }
  const onError = ({ code }) => errors.push(code)
  const listener = kv.listenQueue(handler, { concurrency: 3, lockDuration: "1s", onError })
  for (const value of ["A", "B"]) await kv.enqueue(value)
  while (!ends.A || !ends.B) await wait(5)
  faults.delay("sync", "wal", 200)
  faults.fail(operation, "wal", fault)
  const busy = kv.set(["w"], 1).catch(({ code }) => code)
  await wait(50)
  // The writer is busy: this write and the settlement share the next commit.
  const write = kv.set(["x"], 1).catch(({ code }) => code)
  ends.A()
  await busy
  await wait(50)
  // It ends during that commit.
  ends.B()
  await write
  while (errors.length === 0 && faults.injected(operation, "wal") > 0 && fault.times === undefined) {
    const { total } = await kv.queueStats().catch(() => ({ total: 1 }))
    if (total === 0) break
    await wait(5)
  }
  faults.clear()
  for (;;) {
    const stats = await kv.queueStats().catch(() => ({ total: 1 }))
    if (stats.total === 0) break
    await wait(5)
  }
  const isAlive = !listener.closed
  const added = () => kv.enqueue("later").catch(() => wait(100).then(added))
  await added()
  while (seen.later === undefined) await wait(5)
  await listener.stop({ timeout: "1m" })
  await kv.close()
  return { isAlive, seen, injected: faults.injected(operation, "wal") }
}

/** Law 11: a listener survives every transient error of the store. */
for (const runtime of runtimes)
  describe(`faults: listeners in ${runtime}`, needsFaults, () => {
    // Seen to fail, but for the first: a listener that forgets what its handlers have ended when an error
    // comes. After one sync that failed, each of those that shared the commit runs once more, alone, and the
    // settlement alone needs no sync.
    for (const [what, operation, fault] of [
      ["a sync fails once", "sync", { nth: 2 }],
      ["a sync fails, and the next that would make it good", "sync", { nth: 2, times: 2 }],
      ["the disk is full for a while", "write", { nth: 1, times: 40, errno: "ENOSPC" }],
    ])
      test(`${what}: what its handlers have ended is settled, and it goes on`, () =>
        withFaults(async ({ play }) => {
          const { isAlive, seen, injected } = await play(runtime, failOnce, [operation, fault])
          assert.ok(injected > 0, "nothing failed")
          assert.equal(isAlive, true)
          assert.deepEqual(seen, { A: 1, B: 1, later: 1 })
        }))
  })
