/**
 * The host's functions that tests replace by fakes which never fire. They are taken here, once, when the
 * package is imported; nothing else in `lib/` uses them (`__test__/structure/calls.test.js`).
 */

import * as timers from "node:timers"

/** Not imported by name: such a binding would follow what a fake puts into the module. */
const { clearTimeout, setImmediate, setTimeout } = timers
const SETTLED = Promise.resolve()

/** A function of the host carries no members of its own under a name; a fake does (`clock`, `mock`). */
const isFake = Object.keys(setImmediate).length > 0

const clock = performance
const readClock = clock.now

/** Milliseconds that only grow, for what is measured here; the store's time is another. */
export function now(): number {
  return readClock.call(clock)
}

/** Draws from 0 to 1. */
export const random: () => number = Math.random

/** Calls a function in a microtask. It must not throw. */
export function microtask(call: () => void): void {
  SETTLED.then(call)
}

/** Calls a function when the event loop has had a turn. It must not throw. */
export const turn: (call: () => void) => void = isFake
  ? (call) => after(1, call)
  : (call) => setImmediate(call)

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => turn(resolve))
}

/** The longest that a timer takes; beyond it, it would not wait at all. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Begins to wait; what it returns ends that. */
export type Timer = (ms: number, call: () => void) => () => void

/**
 * Two timers run: the host's keeps the process alive, and `Atomics.waitAsync` is there because fakes may have
 * come before the import, and because Bun's also replace what was taken before them.
 */
const hostTimer: Timer = (ms, call) => {
  const most = Math.min(Math.max(ms, 1), MAX_TIMER_MS)
  const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  let isOver = false
  const end = () => {
    isOver = true
    clearTimeout(timer)
    Atomics.notify(cell, 0)
  }
  const fire = () => {
    if (isOver) return
    end()
    call()
  }
  const timer = setTimeout(fire, most)
  const waiting = waitAsync(cell, 0, 0, most)
  if (waiting.async) void waiting.value.then(fire)
  return end
}

let timer: Timer = hostTimer

/** For this repository's tests (`testing.ts`). */
export function useTimer(other: Timer | undefined): void {
  timer = other ?? hostTimer
}

/** Calls a function after a time, unless what this returns is called before. */
export function after(ms: number, call: () => void): () => void {
  return timer(ms, call)
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void after(ms, resolve))
}

/** ES2024, newer than the library that TypeScript compiles against; every supported runtime has it. */
const { waitAsync } = Atomics as unknown as {
  waitAsync(
    cell: Int32Array,
    index: number,
    value: number,
    ms: number,
  ): { async: true; value: Promise<unknown> } | { async: false }
}
