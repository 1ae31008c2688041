import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { runtimes } from "../support/runtimes.js"
import { needsFaults, withFaults } from "./index.js"

/**
 * Makes a read twice, first with new connections, then with the same ones, while the system refuses the locks
 * of the log's index. Reports whether it still waited at the event loop's next turn; then gives the locks
 * back, and reports its result. Handed over as text.
 */
async function readWithoutLocks({ Kv, file, faults, args: [name] }) {
  const count = async (entries) => {
    let found = 0
    for await (const _ of entries) found++
    return found
  }
  const CALLS = {
    get: (kv) => kv.get(["k", 250]).then(({ value }) => value.n),
    getMany: (kv) => kv.getMany([1, 400].map((n) => ["k", n])).then((entries) => entries.length),
    list: (kv) => count(kv.list(["k"])),
    "the rest of a list": (_, rest) => count(rest),
    paginate: (kv) => kv.paginate(["k"]).then(({ entries }) => entries.length),
    "where, by an index": (kv) => count(kv.list(["k"], { where: { n: { $gte: 490 } } })),
    search: (kv) => count(kv.search(["k"], "word3")),
    changes: (kv) => count(kv.changes()),
    transaction: (kv) => kv.transaction((tx) => tx.get(["k", 250])).then(({ value }) => value.value.n),
    watch: (kv) =>
      new Promise((resolve, reject) => {
        const watch = kv.watch([["k", 250]], ([{ value }]) => resolve([watch.stop(), value.n][1]), {
          onError: reject,
        })
      }),
  }
  const setUp = new Kv(file, { sweepInterval: 0 })
  await setUp.createIndex(["k"], { fields: ["text"] })
  await setUp.createIndex(["k"], { on: ["n"] })
  const entry = (n) => ({ key: ["k", n], value: { n, text: `word${n % 7} `.repeat(200) } })
  await setUp.setMany(Array.from({ length: 500 }, (_, n) => entry(n)))
  await setUp.close()
  const kv = new Kv(file, { sweepInterval: 0 })
  const reported = []
  for (let times = 0; times < 2; times++) {
    const rest = kv.list(["k"])[Symbol.asyncIterator]()
    if (name.startsWith("the rest")) await rest.next()
    const before = faults.injected("lock", "shm")
    faults.fail("lock", "shm", { times: 1e9, errno: "ENOLCK" })
    let hasWaited = true
    const outcome = Promise.resolve()
      .then(() => CALLS[name](kv, { [Symbol.asyncIterator]: () => rest }))
      .catch(({ code, message }) => `${code} ${message}`)
      .finally(() => (hasWaited = false))
    await new Promise((resolve) => setImmediate(resolve))
    const waited = hasWaited
    faults.clear()
    reported.push({ waited, found: await outcome, refused: faults.injected("lock", "shm") > before })
  }
  await kv.close()
  return reported
}

const FOUND = {
  get: 250,
  getMany: 2,
  list: 500,
  "the rest of a list": 499,
  paginate: 100,
  "where, by an index": 10,
  search: 71,
  changes: 500,
  transaction: 250,
  watch: 250,
}

/**
 * SQLite tries for 10 s to get such a lock, in which it sleeps: on the reader thread, while the event loop
 * has its turns. Seen to fail: each of them, where SQLite sleeps on the JavaScript thread. They were reported
 * as UNAVAILABLE, 10 s later, before the loop had a turn.
 */
for (const runtime of runtimes)
  describe(`faults: locks in ${runtime}`, needsFaults, () => {
    for (const [name, found] of Object.entries(FOUND))
      test(`${name}: waits for a lock of the log's index beside the event loop`, () =>
        withFaults(async ({ play }) => {
          const right = { waited: true, found, refused: true }
          assert.deepEqual(await play(runtime, readWithoutLocks, [name]), [right, right])
        }))
  })
