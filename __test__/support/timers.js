import { useTimer } from "../../dist/modules/shared/host.js"

/**
 * Takes the place of the host's timers: notes how long each wait was to be, and ends it at once while `run`
 * is true.
 */
export function fakeTimers() {
  const timers = { waits: [], run: true, restore: () => useTimer(undefined) }
  useTimer((ms, callback) => {
    timers.waits.push(ms)
    if (timers.run) queueMicrotask(callback)
    return () => {}
  })
  return timers
}
