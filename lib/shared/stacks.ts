/**
 * Stacks that lead to the caller. An error that comes back from Rust is made when the event loop brings it,
 * where nothing of the call is on the stack any more: its frames are noted when the call is made, or found
 * along what awaits it.
 */

import { define } from "./define.js"
import { KvError } from "./errors.js"
import { microtask, now } from "./host.js"

/** An error that was made when a call was: it is what the call rejects with, if it does. */
export interface Origin {
  readonly error: KvError
  /** Gets of one tick may share it: the first that fails takes it, the others its frames. */
  isTaken: boolean
}

/** The calls of one tick: most of them are of the same place. */
interface Tick {
  calls: number
  /** Of the one among them whose frames were noted last. */
  origin: Origin | undefined
}

/**
 * Noting frames costs Node 5 to 15 µs, and up to 80 where the callers' code is optimised: half of a write. So
 * many calls note them at once, and one every ten milliseconds from then on, which is at most a hundredth of
 * the time; the others have what awaits them. Bun notes them in 0.4 µs. Measured beside a build that notes
 * none (medians of 31 interleaved rounds of calls that are awaited one by one; two equal builds differ by up
 * to 3 %): a set takes 5 to 7 % more processor time in Node and 4 to 5 % in Bun, a get 1 to 5 % and 2 to 7 %.
 */
const MAX_NOTES = 64
const NOTES_A_MS = 0.1
const IS_BUN = "bun" in process.versions
/**
 * So many calls of a tick have a note among them, so that what nobody awaits leads at least to a neighbour.
 */
const CALLS_A_NOTE = 16

/** How many calls may still note their frames. */
class Notes {
  /** Calls without a note between two looks at the clock. */
  readonly #callsALook: number
  #left = MAX_NOTES
  #calls = 0
  #refilledAt = now()

  constructor(callsALook: number) {
    this.#callsALook = callsALook
  }

  /** Whether one more may. */
  take(): boolean {
    if (this.#left === 0 && ++this.#calls % this.#callsALook === 0) this.#refill()
    if (this.#left === 0) return false
    this.#left--
    return true
  }

  #refill(): void {
    const time = now()
    this.#left = Math.min(Math.floor((time - this.#refilledAt) * NOTES_A_MS), MAX_NOTES)
    if (this.#left > 0) this.#refilledAt = time
  }
}

/**
 * Reads are more than writes, and fail less: they must not use up what those have. A look at the clock would
 * be felt in a get.
 */
const notesOfReads = new Notes(32)
const notesOfOthers = new Notes(1)
let tick: Tick | undefined

/** The frames of the call that is being made, if they are noted. `isCheap`: it is a get, or costs no more. */
export function originOf(isCheap: boolean): Origin | undefined {
  if (isCheap) {
    if (!notesOfReads.take()) return undefined
  } else if (!IS_BUN) {
    const here = thisTick()
    here.calls++
    if (!notesOfOthers.take() && (here.calls < CALLS_A_NOTE || here.origin !== undefined)) return undefined
  }
  const origin = { error: new KvError("UNAVAILABLE", ""), isTaken: false }
  thisTick().origin = origin
  return origin
}

/** Of a call before it in this tick. */
export function nearOrigin(): Origin | undefined {
  return tick?.origin
}

function thisTick(): Tick {
  if (tick === undefined) {
    tick = { calls: 0, origin: undefined }
    microtask(forget)
  }
  return tick
}

function forget(): void {
  tick = undefined
}

function framesOf({ stack }: { stack?: unknown }): string {
  return typeof stack === "string" ? stack.slice(stack.search(/^ +at /m)) : ""
}

function setStack(error: Error, frames: string): void {
  // Bun reads a stack that was set, where it prints an error that nobody caught, and leaves out a frame
  // without a name.
  const named = IS_BUN ? frames.replace(/^( +at (?:async )?)(.*[^)])$/gm, "$1<anonymous> ($2)") : frames
  if (frames !== "") error.stack = `${error.name}: ${error.message}\n${named}`
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
  if (Object.hasOwn(error, "cause")) define(made, "cause", error.cause)
  setStack(made, frames)
  return made
}

/**
 * An error that is thrown while the caller is on the stack, with the frames that are beneath a function of
 * ours: deep in here, none of the caller's are left.
 */
export function beneath(error: unknown, own: (...args: never[]) => unknown): unknown {
  if (!(error instanceof KvError)) return error
  const here: { stack?: unknown } = {}
  Error.captureStackTrace(here, own)
  setStack(error, framesOf(here))
  return error
}

/** A call whose bad arguments reject, as all its other errors do. */
export function attempt<R>(call: () => Promise<R>): Promise<R> {
  try {
    return call()
  } catch (error) {
    return Promise.reject(beneath(error, attempt))
  }
}

/**
 * The same promise; an error of it leads to what awaits it, or where nothing does to a call of the same tick.
 * For calls whose frames were not noted.
 */
export async function awaited<R>(promise: Promise<R>, near: Tick | undefined = tick): Promise<R> {
  try {
    return await promise
  } catch (error) {
    const here: { stack?: unknown } = {}
    Error.captureStackTrace(here, awaited)
    const frames = framesOf(here)
    if (error instanceof KvError) {
      if (frames.includes("at async ")) setStack(error, frames)
      else if (near?.origin !== undefined) setStack(error, framesOf(near.origin.error))
    }
    throw error
  }
}

/**
 * The same promise, of a call that waits for something of ours before it fails; its errors lead to the
 * caller, or to where `origin` was noted.
 */
export function fromCaller<R>(promise: Promise<R>, origin: Origin | undefined = originOf(false)): Promise<R> {
  if (origin === undefined) return awaited(promise)
  return promise.catch((error: unknown) => {
    throw traced(error, origin)
  })
}
