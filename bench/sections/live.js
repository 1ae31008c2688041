// Watches, queues and the change feed: between processes, under load, in large numbers, and at rest.
import { join } from "node:path"
import { answerOf, linesOf } from "../child-process.js"
import { bullets, figure, judged, table } from "../figures.js"
import { bounds } from "../targets.js"

/** Messages that children/live.js handles at a time. */
const HANDLERS = 64

export async function measure({ folder, quick }) {
  const entries = quick ? 20_000 : 1_000_000
  const messages = quick ? 20_000 : 1_000_000
  const watches = quick ? 1000 : 10_000
  const samples = quick ? 20 : 200
  const idleMs = quick ? 2000 : 10_000
  const run = (what, file, count) => {
    console.error(what)
    return answerOf("live.js", [what, join(folder, `${file}.db`), count])
  }
  const between = {
    watch: await betweenProcesses(folder, "Watch", samples),
    queue: await betweenProcesses(folder, "Queue", samples),
  }
  await run("load", "entries", entries)
  const feed = await run("feed", "entries", entries)
  const consumer = await run("consume", "entries", entries)
  for (const { seen } of [feed, consumer])
    if (seen !== entries) throw new Error(`the feed gave ${seen} of ${entries} changes`)
  const watch = await run("watch", "entries", entries)
  if (watch.seen !== entries) throw new Error(`the watch told ${watch.seen} of ${entries} entries`)
  const overload = await run("overload", "entries", Math.min(entries, 100_000))
  const enqueue = await run("enqueue", "queue", messages)
  if (enqueue.pending !== messages) throw new Error(`${enqueue.pending} of ${messages} messages wait`)
  const listen = await run("listen", "queue", messages)
  if (listen.begun !== HANDLERS) throw new Error(`${listen.begun} handlers of ${HANDLERS} have begun`)
  const many = await run("watches", "watches", watches)
  const idle = await run("idle", "idle", idleMs)
  return {
    entries,
    messages,
    watches,
    samples,
    idleMs,
    between,
    feed,
    consumer,
    watch,
    overload,
    enqueue,
    listen,
    many,
    idle,
  }
}

/** One process tells, the other one hears. */
async function betweenProcesses(folder, kind, samples) {
  console.error(`hear${kind}, say${kind}`)
  const file = join(folder, `between-${kind}.db`)
  let said
  for await (const line of linesOf("live.js", [`hear${kind}`, file, samples])) {
    if (!line.ready) {
      await said
      return line
    }
    said = answerOf("live.js", [`say${kind}`, file, samples])
  }
  throw new Error(`hear${kind} ended without an answer`)
}

const bounded = ({ all, native }, bound) => `${judged(all, bound, "MB")} (${figure(native)})`
const mb = ({ all, native }) => `${figure(all)} MB (${figure(native)})`
const number = (value) => Math.round(value).toLocaleString("en")

export function markdown(data) {
  const { between, feed, consumer, overload, enqueue, listen, many, idle } = data
  const row = (name, { p50, p95, max }) => [
    name,
    figure(p50),
    judged(p95, bounds.otherProcessP95Ms, "ms"),
    figure(max),
  ]
  const idleRow = (name, { cpuMs, switches }) => [name, `${figure(cpuMs)} ms`, number(switches)]
  return [
    "## Watches, queues, the change feed",
    `KeyVal in Node; a file on disk, values of about 200 bytes, every commit of a writer synced. Latencies beside Deno KV, in one
process, are in the comparison above.`,
    `### From another process

${data.samples} sets or messages, one at a time at random moments; from before the call in one process to the callback or
handler in the other, in ms.`,
    table(
      ["", "p50", "p95", "max"],
      [row("a watch hears of a set", between.watch), row("a listener handles a message", between.queue)],
    ),
    "### The change feed",
    bullets({
      [`Reading ${number(data.entries)} changes with \`changes()\``]: `${number(feed.aSecond)} a second`,
      "The same as a consumer, 1000 at a time, each committed": `${number(consumer.aSecond)} a second`,
    }),
    `### Memory

MB of resident memory (RSS) that are added to an open store, at the most, with what V8 leaves uncollected; in brackets without
V8's heap.`,
    bullets({
      [`A watch of ${number(data.entries)} entries, told all of them (${figure(data.watch.ms / 1000)} s)`]:
        bounded(data.watch.added, bounds.watchMb),
      [`A watch whose callback takes 50 ms beside ${number(overload.sets / 5)} sets a second for 5 s`]: `${mb(overload.added)} more than the writer alone, which added ${mb(overload.without)}; told ${number(overload.keys)} keys in ${number(overload.batches)} batches, the last state ${figure(overload.behindMs / 1000)} s after the last set`,
      [`${number(data.messages)} messages enqueued, 256 at once, ${figure(enqueue.us)} µs each`]: bounded(
        enqueue.added,
        bounds.queueMb,
      ),
      [`A listener on that queue whose ${HANDLERS} handlers do not end`]: bounded(
        listen.idle,
        bounds.queueMb,
      ),
      [`A listener that handles it, ${HANDLERS} at a time, ${figure(listen.us)} µs a message`]: bounded(
        listen.busy,
        bounds.queueMb,
      ),
    }),
    `### ${number(data.watches)} watches`,
    bullets({
      "Opened, and each told its present state": `${figure(many.openMs)} ms, ${mb(many.added)}; stopped in ${figure(many.closeMs)} ms`,
      "A set of a key that none of them watches": `${figure(many.after)} µs; without them ${figure(many.before)} µs (medians)`,
    }),
    `### At rest

What a process uses of the processor in ${data.idleMs / 1000} s in which nothing happens, and how often its threads wake.`,
    table(
      ["", "processor", "wake-ups"],
      [idleRow("an open store", idle.nothing), idleRow("the same with a watch and a listener", idle.waiting)],
    ),
  ].join("\n\n")
}
