/** Spans of OpenTelemetry, for a `Kv` that was given a tracer. One without costs nothing. */

import type { KvTracer } from "../index.js"
import { describe, invalidArgument, KvError } from "./errors.js"

/** Calls that give a promise. What runs on (lists, watches, listeners) has no end that a span could have. */
const TRACED = [
  "get",
  "getMany",
  "paginate",
  "count",
  "set",
  "setMany",
  "delete",
  "touch",
  "patch",
  "transaction",
  "enqueue",
  "ackMessage",
  "nackMessage",
  "queueStats",
  "createIndex",
  "removeIndex",
  "backup",
] as const

/** `SpanKind.CLIENT` and `SpanStatusCode.ERROR` of `@opentelemetry/api`. */
const CLIENT = 2
const ERROR = 2

type Call = (...args: unknown[]) => Promise<unknown>

export function checkTracer(tracer: unknown): KvTracer | undefined {
  if (tracer === undefined) return undefined
  if (typeof (tracer as KvTracer | null)?.startSpan !== "function")
    throw invalidArgument(
      `tracer: must be a tracer of OpenTelemetry, such as trace.getTracer("app"), got ${describe(tracer)}`,
    )
  return tracer as KvTracer
}

/** Gives an object spans: its own methods stand before those of its class. */
export function trace(kv: object, tracer: KvTracer): void {
  for (const name of TRACED) {
    const call = (kv as Record<string, Call>)[name] as Call
    const value = (...args: unknown[]) => traced(tracer, name, () => call.apply(kv, args))
    Object.defineProperty(kv, name, { value, configurable: true, writable: true })
  }
}

async function traced(tracer: KvTracer, name: string, call: () => Promise<unknown>): Promise<unknown> {
  const attributes = { "db.system.name": "keyval", "db.operation.name": name }
  const span = tracer.startSpan(`keyval.${name}`, { kind: CLIENT, attributes })
  try {
    return await call()
  } catch (error) {
    if (error instanceof KvError) span.setAttribute("error.type", error.code)
    // Messages of ours hold no stored value.
    span.setStatus({ code: ERROR, message: error instanceof KvError ? error.message : String(error) })
    throw error
  } finally {
    span.end()
  }
}
