// Those who wait for a lease: which of them is woken.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Leases } from "../../dist/notices/lease-waiters.js"

/** Three who wait for one lease, and the time at which the next one is to be woken. */
function begin() {
  const alarms = new Map()
  const bridge = {
    attend() {},
    now: (work) => work({ waitFor() {} }),
    ended: (work) => work({ waitNoMore() {} }),
  }
  const leases = new Leases(
    bridge,
    {
      set: (sleeper, atMs) => alarms.set(sleeper, atMs),
      delete: (sleeper) => alarms.delete(sleeper),
    },
    () => {},
  )
  const woken = []
  const leave = ["a", "b", "c"].map((name) => leases.wait("lease", { notice: () => woken.push(name) }))
  const ring = () => {
    const sleepers = [...alarms.keys()]
    alarms.clear()
    for (const sleeper of sleepers) sleeper.notice()
  }
  return { leases, alarms, woken, leave, ring }
}

describe("leases that are waited for", () => {
  test("one is woken when it is given back, and another one each time", () => {
    const { leases, woken } = begin()
    for (let round = 0; round < 4; round++) leases.call("lease")
    leases.call("another")
    assert.deepEqual(woken, ["a", "b", "c", "a"])
  })

  test("one is woken when it runs out", () => {
    const { leases, woken, ring } = begin()
    for (const untilMs of [1000, 1000, 1000]) leases.plan("lease", untilMs)
    ring()
    leases.due("lease", 2000, 1000)
    ring()
    leases.due("lease", 2000, 2000)
    assert.deepEqual(woken, ["a", "b", "c"])
  })

  // Seen to fail: when the one that was woken took the lease, or was ended first, nobody looked until when it is held.
  test("who leaves wakes the next", () => {
    const { leases, alarms, woken, leave } = begin()
    leases.call("lease")
    leave[0]()
    leave[0]()
    assert.deepEqual(woken, ["a", "b"])
    leases.plan("lease", 1000)
    leave[1]()
    leave[2]()
    assert.deepEqual(woken, ["a", "b", "c"])
    assert.equal(alarms.size, 0)
    assert.equal(leases.reasons, 0)
  })
})
