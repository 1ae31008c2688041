import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { until } from "../support/crew.js"
import { runtimes } from "../support/runtimes.js"
import { needsFaults, withFaults } from "./index.js"

/** Infinity does not pass through JSON. */
const EVER = 1e9
const LIVE = ["watch", "watch as an iterator", "feed", "consumer", "listener"]

/** The least between two tries. */
const RETRY_MS = 1000

/**
 * All kinds of subscribers; prints what each of them receives (`watch 1`, `watch error UNAVAILABLE`), and at
 * last all of it, with its milliseconds. Ends when each has received 0. Handed over as text.
 */
async function live({ Kv, file }) {
  const kv = new Kv(file, { sweepInterval: 0 })
  const began = performance.now()
  const reported = {}
  const report = (who, what) => {
    reported[who] ??= []
    reported[who].push([what, Math.round(performance.now() - began)])
    console.log(`${who} ${what}`)
  }
  const onError = (who) => (error) => report(who, `error ${error.code}`)
  const follow = async (who, iterator, read) => {
    for await (const one of iterator) {
      report(who, read(one))
      if (read(one) === 0) return
    }
  }
  const changed = ({ key }) => key[1]
  const ended = [
    new Promise((resolve) => {
      const callback = ([{ value }]) => {
        report("watch", value)
        if (value === 0) resolve()
      }
      kv.watch(["now"], callback, { onError: onError("watch"), emitInitial: false })
    }),
    follow(
      "watch as an iterator",
      kv.watch(["now"], { onError: onError("watch as an iterator"), emitInitial: false }),
      ({ entries }) => entries[0].value,
    ),
    follow("feed", kv.changes({ live: true, prefix: ["log"], onError: onError("feed") }), changed),
    follow("consumer", kv.consumer("one", { prefix: ["log"], onError: onError("consumer") }), changed),
    new Promise((resolve) => {
      const handler = ({ value }) => {
        report("listener", value)
        if (value === 0) resolve()
      }
      kv.listenQueue(handler, { onError: onError("listener") })
    }),
  ]
  console.log("ready")
  await Promise.all(ended)
  await kv.close()
  return reported
}

describe("faults: subscriptions", needsFaults, () => {
  // Seen to fail: watches and feeds were silent for as long as the disk did not read; only consumers and
  // listeners reported it.
  for (const runtime of runtimes)
    test(`${runtime}: a disk that does not read for a while is reported to each, and each goes on`, () =>
      withFaults(async ({ file, faults, start, started }) => {
        const kv = new Kv(file)
        const write = (n) => kv.atomic().set(["now"], n).set(["log", n], "x".repeat(5000)).enqueue(n).commit()
        const { said, ended } = start(runtime, ...started(live))
        const says = (line, times = 1) =>
          until(
            () => said.stdout.split("\n").filter((one) => one === line).length >= times,
            () => `${line}: ${said.stdout}${said.stderr}`,
          )
        await says("ready")
        await write(1)
        for (const who of LIVE) await says(`${who} 1`)
        for (const kind of ["db", "wal"]) faults.fail("read", kind, { times: EVER })
        await write(2)
        for (const who of LIVE) await says(`${who} error UNAVAILABLE`, 2)
        faults.clear()
        for (const who of LIVE) await says(`${who} 2`)
        await write(0)
        const { code, stdout, stderr } = await ended
        assert.equal(code, 0, stderr)
        const reported = JSON.parse(stdout.trim().split("\n").at(-1))
        for (const who of LIVE) {
          const [values, errors] = [[], []]
          for (const [what, ms] of reported[who])
            (typeof what === "number" ? values : errors).push([what, ms])
          assert.deepEqual(
            values.map(([value]) => value),
            [1, 2, 0],
            who,
          )
          const tries = (values[1][1] - errors[0][1]) / RETRY_MS
          assert.ok(
            errors.length <= tries + 2,
            `${who}: ${errors.length} errors in ${tries} times ${RETRY_MS} ms`,
          )
        }
        await kv.close()
      }))
})
