/** Callbacks, on their way in: the one place where they are taken. */

import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"
import { describe, invalidArgument } from "./errors.js"

type Callback = (...args: never[]) => unknown

/**
 * A function that runs in the async context of the call that it was given to, whoever wakes it: what a
 * request has put into an `AsyncLocalStorage` is not seen by the handlers of another one.
 */
export function takeCallback<C extends Callback>(callback: C, name: string): C {
  if (typeof callback !== "function")
    throw invalidArgument(`${name}: must be a function, got ${describe(callback)}`)
  return AsyncResource.bind(callback as unknown as (...args: unknown[]) => unknown) as unknown as C
}

/** The same for one that may be left out. */
export function takeOptionalCallback<C extends Callback>(
  callback: C | undefined,
  name: string,
): C | undefined {
  return callback === undefined ? undefined : takeCallback(callback, name)
}

/** Calls a function outside of every context, so that what it makes keeps none alive. */
export const outside: <R>(call: () => R) => R = AsyncLocalStorage.snapshot()
