import { deepStrictEqual, ok, strictEqual } from "node:assert"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { formatNumber } from "./progress.js"

const JOBS = 400
const REPORTS = 200

/** Starts `helper.js`: another process on the same file. */
function helper(path, task) {
  const program = fileURLToPath(new URL("helper.js", import.meta.url))
  return spawn(process.execPath, [program, path, task], { stdio: ["pipe", "pipe", "inherit"] })
}

/** A watch keeps a map of what another process writes. */
const watching = (path) => ({
  question: `Another process reports the visitors of cities ${REPORTS} times. What does a watch here hear of it?`,
  async ask(kv) {
    const seen = new Map()
    const delays = []
    const watch = kv.watch({ prefix: ["visitors"] }, (entries) => {
      for (const { key, value, versionstamp } of entries) {
        if (versionstamp === null) seen.delete(key[1])
        else {
          delays.push(Date.now() - value.at)
          seen.set(key[1], value.visitors)
        }
      }
    })
    const reporter = helper(path, "report")
    await once(reporter, "exit")

    const stored = new Map()
    for await (const { key, value } of kv.list(["visitors"])) stored.set(key[1], value.visitors)
    // The last commit is reported within 25 ms, seldom later.
    for (let patience = 0; patience < 6000 && !isSame(seen, stored); patience++) await sleep(10)
    watch.stop()
    return { seen, stored, delays }
  },
  check({ seen, stored, delays }) {
    deepStrictEqual(new Map([...seen].sort()), new Map([...stored].sort()))
    ok(delays.length > 0)
  },
  show: ({ seen, delays }) => [
    `${delays.length} entries reported, of ${seen.size} cities that are left; half of them within ${median(delays)} ms of the report`,
  ],
})

/** A queue that two processes share. */
const jobs = (path) => ({
  question: `${JOBS} jobs, two processes, one job of a country at a time. Is each done once?`,
  async ask(kv) {
    const worker = helper(path, "work")
    await once(worker.stdout, "data")
    const atomic = kv.atomic()
    for (let job = 0; job < JOBS; job++)
      atomic.enqueue({ job }, { queue: "jobs", orderingKey: `country ${job % 50}` })
    await atomic.commit()

    const listener = kv.listenQueue(
      async ({ value }) => {
        await kv.set(["done", value.job, "here"], true)
      },
      { queue: "jobs", concurrency: 8 },
    )
    while ((await kv.queueStats("jobs")).total > 0) await sleep(10)
    listener.stop()
    await listener.finished
    worker.stdin.end()
    await once(worker, "exit")

    const done = { here: 0, there: 0 }
    const times = new Map()
    for await (const { key } of kv.list(["done"])) {
      done[key[2]]++
      times.set(key[1], (times.get(key[1]) ?? 0) + 1)
    }
    return { done, times }
  },
  check({ times }) {
    strictEqual(times.size, JOBS)
    ok([...times.values()].every((count) => count === 1))
  },
  show: ({ done }) => [
    `${formatNumber(done.here)} done here, ${formatNumber(done.there)} in the other process`,
  ],
})

export const live = (path) => [watching(path), jobs(path)]

function isSame(one, other) {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value)
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
