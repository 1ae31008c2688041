/**
 * Stacks that lead to the caller. An error that comes back from Rust is made when the event loop brings it,
 * where nothing of the call is on the stack any more: its frames are noted when the call is made, or found
 * along what awaits it.
 */

import { define } from "./define.js"
import { KvError } from "./errors.js"
import { microtask, now } from "./host.js"

/**
 * An error that was made when a call was: it is what the call rejects with, if it does. It becomes a
 * `KvError` only then: Bun makes a plain error in half of the time.
 */
export interface Origin {
  readonly error: Error
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
 * the time; an error of the others leads to what awaits it, which costs nothing before it fails. Bun finds
 * nothing along what awaits, and notes the frames of each write, in 0.3 µs.
 *
 * Measured beside a build that notes none: both in one process, 120 to 300 blocks of each in turn, the median
 * of the ratios of processor time on a busy machine, where two equal builds differ by up to 4 %. A set takes
 * 3 % more in Node and 9 % in Bun, each of 16 at once 3 to 8 % and 6 to 8 %, a get 4 to 5 %. With a wrapper
 * around each call, and a note in each tick of 16 calls, it was 6 and 21 %, 18 and 14 %, 5 to 7 %.
 */
const MAX_NOTES = 64
const NOTES_A_MS = 0.1
/** A cost is felt sooner in a read, and an awaited read needs no note in Node. */
const READ_NOTES_A_MS = 0.01
const IS_BUN = "bun" in process.versions
/**
 * So many calls of a tick have a note among them, of notes that are for nothing else: what nobody awaits
 * leads at least to a neighbour.
 */
const CALLS_A_NOTE = 16

/** How many calls may still note their frames. */
class Notes {
  /** Calls without a note between two looks at the clock. */
  readonly #callsALook: number
  readonly #notesAMs: number
  #left = MAX_NOTES
  #calls = 0
  #refilledAt = now()

  constructor(callsALook: number, notesAMs: number) {
    this.#callsALook = callsALook
    this.#notesAMs = notesAMs
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
    this.#left = Math.min(Math.floor((time - this.#refilledAt) * this.#notesAMs), MAX_NOTES)
    if (this.#left > 0) this.#refilledAt = time
  }
}

/**
 * Reads are more than writes, and fail less: they must not use up what those have. A look at the clock would
 * be felt in a get.
 */
const notesOfReads = new Notes(32, IS_BUN ? NOTES_A_MS : READ_NOTES_A_MS)
const notesOfOthers = new Notes(1, NOTES_A_MS)
const notesOfTicks = new Notes(1, NOTES_A_MS)
let tick: Tick | undefined

/** The frames of the call that is being made, if they are noted. `isCheap`: it is a get, or costs no more. */
export function originOf(isCheap: boolean): Origin | undefined {
  if (isCheap) {
    if (!notesOfReads.take()) return undefined
  } else if (!IS_BUN) {
    const here = thisTick()
    const isDue = ++here.calls === CALLS_A_NOTE && here.origin === undefined
    if (!notesOfOthers.take() && !(isDue && notesOfTicks.take())) return undefined
  }
  const origin = { error: new Error(), isTaken: false }
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
  // `Error.stackTraceLimit` is 0.
  if (frames === "") return error
  if (origin.isTaken) {
    setStack(error, frames)
    return error
  }
  origin.isTaken = true
  // Bun shows where an error was made, whatever its stack says.
  const made = Object.assign(Object.setPrototypeOf(origin.error, KvError.prototype) as KvError, error)
  define(made, "message", error.message)
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
 * Calls a function in a microtask in which V8 finds the async functions that await a promise: it searches
 * what is derived from the reaction that runs, and here `promise` is what `then` derives from that. So a call
 * costs nothing for its stack until it fails. The link settles nothing.
 */
function whereAwaited(promise: Promise<unknown>, call: () => void): void {
  const called = Promise.resolve().then(call)
  function Derived(executor: (resolve: () => void, reject: () => void) => void) {
    executor(ignore, ignore)
    return promise
  }
  define(called, "constructor", { [Symbol.species]: Derived })
  void called.then()
}

function ignore(): void {}

/** The promise of a call and what settles it. */
export class Answer<R> {
  readonly promise: Promise<R>
  resolve!: (result: R) => void
  #reject!: (error: unknown) => void
  readonly #origin: Origin | undefined
  readonly #near: Tick | undefined

  constructor(origin: Origin | undefined) {
    this.#origin = origin
    this.#near = tick
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.#reject = reject
    })
  }

  /** The error leads to the caller, or to what awaits it; where nothing does, to a call of the same tick. */
  reject(error: unknown): void {
    const origin = this.#origin ?? (IS_BUN ? this.#near?.origin : undefined)
    if (IS_BUN || origin !== undefined || !(error instanceof KvError)) {
      this.#reject(traced(error, origin))
      return
    }
    const reject = () => {
      setAwaitedStack(error, reject, this.#near)
      this.#reject(error)
    }
    whereAwaited(this.promise, reject)
  }
}

/** For an error that is made in a function that is awaited, or that {@link whereAwaited} calls. */
function setAwaitedStack(error: KvError, own: (...args: never[]) => unknown, near: Tick | undefined): void {
  const here: { stack?: unknown } = {}
  Error.captureStackTrace(here, own)
  const frames = framesOf(here)
  if (frames.includes("at async ")) setStack(error, frames)
  else if (near?.origin !== undefined) setStack(error, framesOf(near.origin.error))
}

/**
 * The same promise; an error of it leads to what awaits it, or where nothing does to a call of the same tick.
 * For calls whose frames were not noted.
 */
export async function awaited<R>(promise: Promise<R>, near: Tick | undefined = tick): Promise<R> {
  try {
    return await promise
  } catch (error) {
    if (error instanceof KvError) setAwaitedStack(error, awaited, near)
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
