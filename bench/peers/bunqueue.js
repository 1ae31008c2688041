import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

export const title = "bunqueue"
export const runtimes = ["bun"]
export const settings =
  "embedded, on an SQLite file, durable: true (its writes are gathered in memory without it), 64 handled at a time, removeOnComplete; a queue and nothing else"

const PACKAGE = new URL("../node_modules/bunqueue/package.json", import.meta.url)
const CONCURRENCY = 64
const MESSAGE = { durable: true, removeOnComplete: true }

export async function open(folder) {
  const { Queue, Worker } = await import("bunqueue/client")
  mkdirSync(folder, { recursive: true })
  // One store a process, with a queue for each row.
  const embedded = { embedded: true, dataPath: join(folder, "queues.db") }
  let queues = 0
  return {
    version: JSON.parse(readFileSync(PACKAGE, "utf8")).version,
    async queue(_path, handler) {
      const name = `queue-${++queues}`
      const queue = new Queue(name, embedded)
      const handle = async ({ data }) => handler(data)
      const worker = handler && new Worker(name, handle, { ...embedded, concurrency: CONCURRENCY })
      return {
        enqueue: async (value) => ({ ok: (await queue.add("message", value, MESSAGE)).id !== undefined }),
        async close() {
          await worker?.close()
          await queue.obliterate({ force: true })
          await queue.close()
        },
      }
    },
    close: () => {},
  }
}
