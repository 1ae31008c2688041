// Those who wait for a lease: which of them is woken.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { LeaseWaiters } from "../../dist/modules/notices/lease-waiters.js"

/** Three who wait for one lease, and the time at which the next one is to be woken. */
function begin() {
  const timers = new Map()
  const store = { updateReasons() {}, waitFor() {}, stopWaitingFor() {} }
  const leases = new LeaseWaiters(
    store,
    {
      set: (waiter, atMs) => timers.set(waiter, atMs),
      delete: (waiter) => timers.delete(waiter),
    },
    () => {},
  )
  const woken = []
  const leave = ["a", "b", "c"].map((name) => {
    const { unsubscribe } = leases.subscribe("lease", { notice: () => woken.push(name) })
    return unsubscribe
  })
  const fire = () => {
    const waiters = [...timers.keys()]
    timers.clear()
    for (const waiter of waiters) waiter.notice()
  }
  return { leases, timers, woken, leave, fire }
}

describe("leases that are waited for", () => {
  test("one is woken when it is given back, and another one each time", () => {
    const { leases, woken } = begin()
    for (let round = 0; round < 4; round++) leases.wake("lease")
    leases.wake("another")
    assert.deepEqual(woken, ["a", "b", "c", "a"])
  })

  test("one is woken when it runs out", () => {
    const { leases, woken, fire } = begin()
    for (const untilMs of [1000, 1000, 1000]) leases.wakeAt("lease", untilMs)
    fire()
    leases.due("lease", 2000, 1000)
    fire()
    leases.due("lease", 2000, 2000)
    assert.deepEqual(woken, ["a", "b", "c"])
  })

  // Seen to fail: when the one that was woken took the lease, or was ended first, nobody looked until when it
  // is held.
  test("who leaves wakes the next", () => {
    const { leases, timers, woken, leave } = begin()
    leases.wake("lease")
    leave[0]()
    leave[0]()
    assert.deepEqual(woken, ["a", "b"])
    leases.wakeAt("lease", 1000)
    leave[1]()
    leave[2]()
    assert.deepEqual(woken, ["a", "b", "c"])
    assert.equal(timers.size, 0)
    assert.equal(leases.reasons, 0)
  })
})
