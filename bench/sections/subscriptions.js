// Watches, queues and the change feed: between processes, under load, in large numbers, and at rest.
import { join } from "node:path"
import { answerOf, linesOf } from "../child-process.js"
import { bullets, figure, judged, table } from "../report/figures.js"
import { Missing } from "../report/missing.js"
import { bounds } from "../targets.js"

/** Messages that children/subscriptions.js handles at a time. */
const HANDLERS = 64

export const title = "Watches, queues, the change feed"

export async function measure({ folder, quick, save = () => {} }) {
  const sizes = {
    entries: quick ? 20_000 : 1_000_000,
    messages: quick ? 20_000 : 1_000_000,
    watches: quick ? 1000 : 10_000,
    samples: quick ? 20 : 200,
    idleMs: quick ? 2000 : 10_000,
  }
  const missing = new Missing()
  const between = {
    watch: await missing.attempt("a watch hears", () => betweenProcesses(folder, "Watch", sizes.samples)),
    queue: await missing.attempt("a listener hears", () => betweenProcesses(folder, "Queue", sizes.samples)),
  }
  const results = { ...sizes, between, missing: missing.found }
  for (const [name, work] of Object.entries(partsOf(folder, sizes))) {
    results[name] = await missing.attempt(name, work)
    await save(results)
  }
  return results
}

/** In order: some parts read the data that earlier ones wrote, and find too little if those failed. */
function partsOf(folder, { entries, messages, watches, idleMs }) {
  const run = async (what, file, count, { seen, of }) => {
    console.error(what)
    const answer = await answerOf("subscriptions.js", [what, join(folder, `${file}.db`), count])
    if (seen !== undefined && answer[seen] !== of) throw new Error(`${seen}: ${answer[seen]} of ${of}`)
    return answer
  }
  const all = { seen: "seen", of: entries }
  return {
    load: () => run("load", "entries", entries, {}),
    feed: () => run("feed", "entries", entries, all),
    consumer: () => run("consume", "entries", entries, all),
    watch: () => run("watch", "entries", entries, all),
    overload: () => run("overload", "entries", Math.min(entries, 100_000), {}),
    enqueue: () => run("enqueue", "queue", messages, { seen: "pending", of: messages }),
    listen: () => run("listen", "queue", messages, { seen: "begun", of: HANDLERS }),
    many: () => run("watches", "watches", watches, {}),
    idle: () => run("idle", "idle", idleMs, {}),
  }
}

/** One process sends, the other one receives. */
async function betweenProcesses(folder, kind, samples) {
  console.error(`hear${kind}, say${kind}`)
  const file = join(folder, `between-${kind}.db`)
  const either = new AbortController() // if one fails, the other one must not wait for it
  const { signal } = either
  const hearing = linesOf("subscriptions.js", [`hear${kind}`, file, samples], { signal })
  await hearing.next() // it is ready
  try {
    const said = answerOf("subscriptions.js", [`say${kind}`, file, samples], { signal })
    const [{ value }] = await Promise.all([hearing.next(), said])
    if (value === undefined) throw new Error(`hear${kind} ended without an answer`)
    return value
  } finally {
    either.abort()
    await hearing.return()
  }
}

const bounded = ({ all, native }, bound) => `${judged(all, bound, "MB")} (${figure(native)})`
const mb = ({ all, native }) => `${figure(all)} MB (${figure(native)})`
const number = (value) => Math.round(value).toLocaleString("en")

/** A line of a list; none where its part is missing. */
const line = (part, name, text) => (part ? { [name]: text(part) } : {})

export function markdown(data) {
  const { between, idle } = data
  const row = (name, found) =>
    found
      ? [name, figure(found.p50), judged(found.p95, bounds.otherProcessP95Ms, "ms"), figure(found.max)]
      : [name, "–", "–", "–"]
  const idleRow = (name, { cpuMs, switches }) => [name, `${figure(cpuMs)} ms`, number(switches)]
  return [
    `## ${title}`,
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
      ...line(
        data.feed,
        `Reading ${number(data.entries)} changes with \`changes()\``,
        ({ aSecond }) => `${number(aSecond)} a second`,
      ),
      ...line(
        data.consumer,
        "The same as a consumer, 1000 at a time, each committed",
        ({ aSecond }) => `${number(aSecond)} a second`,
      ),
    }),
    `### Memory

MB of resident memory (RSS) that are added to an open store, at the most, with what V8 leaves uncollected; in brackets without
V8's heap.`,
    bullets(memoryLines(data)),
    `### ${number(data.watches)} watches`,
    bullets({
      ...line(
        data.many,
        "Opened, and the current state delivered to each",
        ({ openMs, added, closeMs }) =>
          `${figure(openMs)} ms, ${mb(added)}; stopped in ${figure(closeMs)} ms`,
      ),
      ...line(
        data.many,
        "A set of a key that none of them watches",
        ({ after, before }) => `${figure(after)} µs; without them ${figure(before)} µs (medians)`,
      ),
    }),
    `### At rest

What a process uses of the processor in ${data.idleMs / 1000} s in which nothing happens, and how often its threads wake.`,
    table(
      ["", "processor", "wake-ups"],
      idle
        ? [
            idleRow("an open store", idle.nothing),
            idleRow("the same with a watch and a listener", idle.waiting),
          ]
        : [],
    ),
  ]
    .filter(Boolean)
    .join("\n\n")
}

function memoryLines({ entries, messages, watch, overload, enqueue, listen }) {
  return {
    ...line(watch, `A watch of ${number(entries)} entries, all of them delivered`, ({ added, ms }) => {
      return `${bounded(added, bounds.watchMb)}, ${figure(ms / 1000)} s`
    }),
    ...line(overload, "A watch whose callback takes 50 ms beside sets at full speed for 5 s", (found) => {
      const { sets, added, without, keys, batches, behindMs } = found
      return `${number(sets / 5)} sets a second: ${mb(added)} more than the writer alone, which added ${mb(without)}; ${number(keys)} keys reported in ${number(batches)} batches, the last state ${figure(behindMs / 1000)} s after the last set`
    }),
    ...line(enqueue, `${number(messages)} messages enqueued, 256 at once`, ({ added, us }) => {
      return `${bounded(added, bounds.queueMb)}, ${figure(us)} µs each`
    }),
    ...line(listen, `A listener on that queue whose ${HANDLERS} handlers do not end`, (found) => {
      return bounded(found.idle, bounds.queueMb)
    }),
    ...line(listen, `A listener that handles it, ${HANDLERS} at a time`, ({ busy, us }) => {
      return `${bounded(busy, bounds.queueMb)}, ${figure(us)} µs a message`
    }),
  }
}
