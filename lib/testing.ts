/** For this repository's tests: time and internals. Not exported by the package. */

import type { Kv, KvKey } from "../index.js"
import { transports } from "./api/kv.js"
import { callNative } from "./native/addon.js"
import { core } from "./native/core.js"
import type { ChangesReader, TestControls, Transport, Writes } from "./transport.js"
import type { Encoded } from "./value/index.js"
import { reviveKey } from "./wire/key-json.js"

/** Replaces what carries a `Kv` that is opened from now on, or (`undefined`) puts the addon back. */
export { nativeCarrier, useCarrier } from "./open.js"
/** Replaces what waits (retries, backoff), or (`undefined`) puts it back. */
export { useTimer } from "./shared/host.js"
/** How values cross a carrier, for one of the tests' own. */
export { decodeValue, encodeValue } from "./value/index.js"
export { Unread } from "./value/unreadable.js"

function transportOf(kv: Kv): Transport {
  const transport = transports.get(kv)
  if (transport === undefined) throw new TypeError("not a Kv")
  return transport
}

function controlsOf(kv: Kv): TestControls {
  const { testControls } = transportOf(kv)
  if (testControls === undefined)
    throw new TypeError(
      "the transport of this Kv has no testControls: tests cannot set its clock or run its sweep",
    )
  return testControls
}

/** Freezes the clock of the store at a time, or (`null`) lets it run. */
export function setClock(kv: Kv, ms: number | null): void {
  controlsOf(kv).freezeClock(ms)
}

/** The machine's clock is wrong by so many milliseconds from now on: a step, forward or back. */
export function shiftClock(kv: Kv, ms: number): void {
  controlsOf(kv).shiftClock(ms)
}

/** Runs one sweep now. */
export function sweep(kv: Kv): Promise<void> {
  return controlsOf(kv).sweep()
}

/**
 * The next page of a change feed, or the next write of another kind, fails with an error, as it does where
 * the store is busy.
 */
export function failNext(kv: Kv, kind: "changes" | keyof Writes, error: Error): void {
  const transport = transportOf(kv)
  const fails = (request: { kind: string }) => request.kind === kind
  if (kind === "changes") {
    const open = transport.open.bind(transport)
    transport.open = (request) => {
      const reader = open(request)
      if (!fails(request)) return reader
      Reflect.deleteProperty(transport, "open")
      const [feed, page] = [reader as ChangesReader, (reader as ChangesReader).page]
      feed.page = () => {
        feed.page = page
        return Promise.reject(error)
      }
      return reader
    }
    return
  }
  const write = transport.write.bind(transport)
  transport.write = (request) => {
    if (!fails(request)) return write(request)
    Reflect.deleteProperty(transport, "write")
    return Promise.reject(error)
  }
}

export function encodeKey(key: KvKey): Uint8Array {
  return core.encodeKey(key)
}

export function decodeKey(bytes: Uint8Array): KvKey {
  return reviveKey(JSON.parse(callNative((addon) => addon.decodeKey(bytes))) as unknown[])
}

/** Stores the text of a value as it is, as another program or an earlier version may have. */
export async function plant(kv: Kv, key: KvKey, data: Encoded["data"], encoding = 1): Promise<void> {
  const value = { encoding, data } as Encoded
  await transportOf(kv).write({ kind: "set", key, stamped: false, value, expiresIn: undefined })
}
