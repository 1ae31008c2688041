// Times that are waited for, against a list that is sorted each time.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { TimerQueue } from "../../dist/modules/notices/timer-queue.js"
import { Random } from "../support/random.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** A store that wakes at the earliest time that it was asked for, once, as Rust's does. */
class Clock {
  now = 0
  /** Calls of `wakeAt`. */
  asked = 0
  #dueMs = Infinity
  timers = new TimerQueue({
    updateReasons() {},
    timeWhileOpen: () => this.now,
    wakeAt: (atMs) => this.#wakeAt(atMs),
  })

  #wakeAt(atMs) {
    this.asked++
    this.#dueMs = Math.min(this.#dueMs, atMs)
  }

  /** Time passes. */
  until(ms) {
    while (this.#dueMs <= ms) {
      this.now = Math.max(this.now, this.#dueMs)
      this.#dueMs = Infinity
      this.timers.fire()
    }
    this.now = ms
  }
}

describe(`timers (KEYVAL_SEED=${SEED})`, () => {
  // Seen to fail: do not ask for the next time when one has come; compare the wrong child of the heap.
  test("each wakes at the earliest time that it has set, once", () => {
    const random = new Random(SEED)
    const clock = new Clock()
    const times = new Map()
    const woken = []
    const waiters = Array.from({ length: 100 }, (_, at) => ({
      notice: () => woken.push([clock.now, at]),
    }))
    const expected = []
    for (let step = 0; step < 5000; step++) {
      const at = random.int(waiters.length)
      if (random.chance(0.1)) {
        times.delete(at)
        clock.timers.delete(waiters[at])
      } else if (random.chance(0.8)) {
        const time = clock.now + random.int(200)
        times.set(at, Math.min(time, times.get(at) ?? Infinity))
        clock.timers.set(waiters[at], time)
      } else {
        const end = clock.now + random.int(30)
        for (const [waiter, time] of times)
          if (time <= end) {
            // What is due already rings as soon as it is asked for.
            expected.push([Math.max(time, clock.now), waiter])
            times.delete(waiter)
          }
        clock.until(end)
      }
    }
    const sorted = (list) => list.map(([time, at]) => time * 1000 + at).sort((a, b) => a - b)
    assert.deepEqual(sorted(woken), sorted(expected))
  })

  test("of a thousand times the store is asked for the earliest alone", () => {
    const clock = new Clock()
    const woken = new Set()
    for (let at = 1; at <= 1000; at++) clock.timers.set({ notice: () => woken.add(at) }, 1000 + at)
    assert.equal(clock.asked, 1)
    clock.until(1500)
    assert.equal(woken.size, 500)
  })
})
