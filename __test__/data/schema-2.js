// What is in schema-2.db.gz, for ever: `make-schema.js` has written it once, with the first version that has
// schema 2. Beside the entries of schema 1 there are messages, a dead letter, a lock and a consumer.
import * as schema1 from "./schema-1.js"

/** The id that the file got by chance; its last 42 bits end every versionstamp. */
export const DATABASE_ID = "01a211ee-5249-7508-9f69-f5cf7f88db8f"
export const { MADE_AT, SETTINGS, sets, entries, changes } = schema1

/** A message whose only attempt fails, and waits for that. */
async function bury(kv, value) {
  await kv.enqueue(value, { queue: "jobs", backoffSchedule: [] })
  await new Promise((resolve) => {
    const listener = kv.listenQueue(
      () => {
        listener.stop()
        listener.finished.then(resolve)
        throw new Error("no")
      },
      { queue: "jobs", onError() {} },
    )
  })
}

async function consume(kv) {
  const reader = kv.consumer("reader", { prefix: ["tags"] })
  const [first] = await reader.read(1)
  await reader.commit(first.seq)
  await reader.release()
}

/** No commit of entries: they issue no versionstamp, and note no change. */
const others = [
  (kv) => bury(kv, new Map([["of", 2n]])),
  (kv) => kv.enqueue("first", { queue: "jobs", orderingKey: "a", keysIfUndelivered: [["lost", 1n]] }),
  (kv) => kv.enqueue(Uint8Array.of(2), { queue: "jobs", orderingKey: "a", deduplicationKey: "two" }),
  (kv) => kv.enqueue({ later: true }, { queue: "later", delay: "50y" }),
  (kv) => kv.lock("held", { owner: "somebody", duration: "50y" }),
  consume,
]

/** The last commit of schema 1 comes last here too: it is the one that sets the clock. */
export const commits = [
  ...schema1.commits.slice(0, -1),
  async (kv) => {
    for (const other of others) await other(kv)
    await schema1.commits.at(-1)(kv)
  },
]

export const LOCK = { owner: "somebody", token: 5n, expiresAt: 3_376_800_022_000 }
/** What the consumer has not passed. */
export const UNREAD = sets
  .map(({ key }) => key)
  .filter(([first, kind]) => first === "tags" && kind !== "scalars")
