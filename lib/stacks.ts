/**
 * Stacks that lead to the caller. An error that comes back from Rust is made when the event loop brings it, where nothing of the call is on the
 * stack any more: its frames are noted when the call is made, or found along what awaits it.
 */

import { KvError } from "./errors.js"
import { microtask, now } from "./host.js"

/** An error that was made when a call was: it is what the call rejects with, if it does. */
export interface Origin {
  readonly error: KvError
  /** Calls of one tick may share it: the first that fails takes it, the others its frames. */
  isTaken: boolean
}

/**
 * Noting frames costs Node several µs, a good part of a write in memory. So many calls note them at once, and one a millisecond from then on;
 * the others have what awaits them.
 */
const MAX_NOTES = 64
const NOTES_A_MS = 1
/** Calls without a note between two looks at the clock. */
const CALLS_A_LOOK = 32

let notes = MAX_NOTES
let refilledAt = now()
let calls = 0
/** What was noted last in this tick. */
let last: Origin | undefined

/**
 * The frames of the call that is being made; or of one before it in this tick, which mostly is of the same place. `isCheap`: a look at the
 * clock would be felt.
 */
export function originOf(isCheap: boolean): Origin | undefined {
  if (notes === 0 && (!isCheap || ++calls % CALLS_A_LOOK === 0)) refill()
  if (notes === 0) return last
  notes--
  if (last === undefined) microtask(forget)
  last = { error: new KvError("UNAVAILABLE", ""), isTaken: false }
  return last
}

function refill(): void {
  const passed = Math.floor((now() - refilledAt) * NOTES_A_MS)
  notes = Math.max(0, Math.min(passed, MAX_NOTES))
  if (notes > 0) refilledAt = now()
}

function forget(): void {
  last = undefined
}

function framesOf({ stack }: { stack?: unknown }): string {
  return typeof stack === "string" ? stack.slice(stack.search(/^ +at /m)) : ""
}

function setStack(error: Error, frames: string): void {
  if (frames !== "") error.stack = `${error.name}: ${error.message}\n${frames}`
}

/** An error of ours with the frames of a call; any other error as it is. */
export function traced(error: unknown, origin: Origin | undefined): unknown {
  if (!(error instanceof KvError) || origin === undefined) return error
  const frames = framesOf(origin.error)
  if (origin.isTaken) {
    setStack(error, frames)
    return error
  }
  origin.isTaken = true
  // Bun shows where an error was made, whatever its stack says.
  const made = Object.assign(origin.error, error, { message: error.message })
  if (Object.hasOwn(error, "cause"))
    Object.defineProperty(made, "cause", { value: error.cause, configurable: true, writable: true })
  setStack(made, frames)
  return made
}

/** An error that is thrown while the caller is on the stack, with the frames that are beneath a function of ours: deep in here, none of the caller's are left. */
export function beneath(error: unknown, own: (...args: never[]) => unknown): unknown {
  if (!(error instanceof KvError)) return error
  const here: { stack?: unknown } = {}
  Error.captureStackTrace(here, own)
  setStack(error, framesOf(here))
  return error
}

/** The same promise; an error of it leads to what awaits it. For calls whose frames were not noted. */
export async function awaited<R>(promise: Promise<R>): Promise<R> {
  try {
    return await promise
  } catch (error) {
    const here: { stack?: unknown } = {}
    Error.captureStackTrace(here, awaited)
    const frames = framesOf(here)
    if (error instanceof KvError && frames.includes("at async ")) setStack(error, frames)
    throw error
  }
}
