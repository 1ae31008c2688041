/** Signals that abort a call (`AbortSignal`), on their way in. */

import { describe, invalidArgument } from "./errors.js"
import { isRevokedProxy } from "./kinds.js"

/** Of a signal of any realm: what is used of it. */
export type Signal = Pick<AbortSignal, "aborted" | "reason" | "addEventListener" | "removeEventListener">

/** A signal that was given, if any. One that is aborted already refuses the call: its reason is thrown. */
export function signalOf(value: unknown): Signal | undefined {
  if (value === undefined) return undefined
  if (!isSignal(value)) throw invalidArgument(`signal: must be an AbortSignal, got ${describe(value)}`)
  refuseAborted(value)
  return value
}

/** Throws the reason of a signal that is aborted. */
export function refuseAborted(signal: Signal | undefined): void {
  if (signal?.aborted) throw signal.reason
}

function isSignal(value: unknown): value is Signal {
  if (typeof value !== "object" || value === null || isRevokedProxy(value)) return false
  const { aborted, addEventListener } = value as Partial<Signal>
  return typeof aborted === "boolean" && typeof addEventListener === "function"
}

/** Calls a function when a signal is aborted, unless what this gives is called before. */
export function onAbort(signal: Signal | undefined, call: () => void): () => void {
  if (signal === undefined) return () => {}
  signal.addEventListener("abort", call)
  return () => signal.removeEventListener("abort", call)
}

/**
 * The same promise, unless the signal is aborted before it is settled: then it rejects with the signal's
 * reason, and what the promise gives after all goes to `late`.
 */
export function unlessAborted<R>(
  promise: Promise<R>,
  signal: Signal | undefined,
  late: (result: R) => void = () => {},
): Promise<R> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    let { aborted } = signal
    const abort = () => {
      aborted = true
      end()
      reject(signal.reason)
    }
    const end = onAbort(signal, abort)
    if (aborted) abort()
    promise.then(
      (result) => {
        end()
        if (aborted) late(result)
        else resolve(result)
      },
      (error) => {
        end()
        reject(error)
      },
    )
  })
}
