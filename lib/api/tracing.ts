/** Spans of OpenTelemetry, for a `Kv` that was given a tracer or finds one. One without costs nothing. */

import type { Kv, KvTracer } from "../../index.js"
import { define } from "../shared/define.js"
import { describe, invalidArgument, KvError, short } from "../shared/errors.js"
import { version } from "../shared/version.js"

/** Calls that return a promise. Lists, watches and listeners run on, so a span for them would have no end. */
const TRACED = [
  "get",
  "getMany",
  "paginate",
  "children",
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

/**
 * Where `@opentelemetry/api` 1.x keeps what an app has registered, for all its copies in a process. It is
 * read without the package, so that an app which has none needs none, and one that has it need not be
 * searched for it.
 */
const REGISTERED = Symbol.for("opentelemetry.js.api.1")

interface Registry {
  trace?: { getTracer?(name: string, version: string): KvTracer }
}

function registered(): KvTracer | undefined {
  const registry = (globalThis as { [REGISTERED]?: Registry })[REGISTERED]
  return registry?.trace?.getTracer?.("@buntime/keyval", version)
}

export function tracerOf(tracer: unknown): KvTracer | undefined {
  if (tracer === undefined) return registered()
  if (tracer === false) return undefined
  if (typeof (tracer as KvTracer | null)?.startSpan !== "function")
    throw invalidArgument(
      `tracer: must be false, or a tracer of OpenTelemetry such as trace.getTracer("app"), got ${describe(tracer)}`,
    )
  return tracer as KvTracer
}

/** Adds spans to an object: its own methods shadow those of its class. */
export function trace(kv: Kv, tracer: KvTracer): void {
  for (const name of TRACED) give(kv, name, tracer)
  const atomic = kv.atomic.bind(kv)
  replace(kv, "atomic", () => {
    const builder = atomic()
    give(builder, "commit", tracer)
    return builder
  })
}

function give(object: object, name: string, tracer: KvTracer): void {
  const call = (object as Record<string, Call>)[name] as Call
  replace(object, name, (...args) => traced(tracer, name, () => call.apply(object, args)))
}

function replace(object: object, name: string, value: (...args: unknown[]) => unknown): void {
  define(object, name, value)
}

async function traced(tracer: KvTracer, name: string, call: () => Promise<unknown>): Promise<unknown> {
  const attributes = { "db.system.name": "keyval", "db.operation.name": name }
  const span = tracer.startSpan(`keyval.${name}`, { kind: CLIENT, attributes })
  try {
    return await call()
  } catch (error) {
    if (error instanceof KvError) span.setAttribute("error.type", error.code)
    // No message: ours name keys, and errors of a transaction's function may hold values.
    span.setStatus({ code: ERROR, message: error instanceof KvError ? error.code : nameOf(error) })
    throw error
  } finally {
    span.end()
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? short(error.constructor.name) : typeof error
}
