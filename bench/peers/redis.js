import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync } from "node:fs"
import { createServer } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

export const title = "Redis, BullMQ"
export const runtimes = ["node"]
export const settings =
  "redis-server in a process of its own on loopback, appendfsync always, no snapshots; ioredis with enableAutoPipelining; JSON values. Messages: BullMQ over the same server, 64 handled at a time, removeOnComplete. It has no versions, no ordered keys and no watches that a client could miss nothing of: no figures"
export const absent = "there is no redis-server on PATH"
export const available = () => spawnSync("redis-server", ["--version"]).status === 0

const CONCURRENCY = 64
const START_MS = 10_000
const LOAD_AT_ONCE = 10_000

export async function open(folder) {
  const { default: Redis } = await import("ioredis")
  const port = await freePort()
  startServer(folder, port)
  const connection = { host: "127.0.0.1", port }
  const redis = new Redis({ ...connection, enableAutoPipelining: true, lazyConnect: true })
  redis.on("error", () => {}) // a call that fails rejects by itself
  await answering(redis)
  const textOf = (key) => JSON.stringify(key)
  const entryOf = (key, text) => ({ key, value: text === null ? null : JSON.parse(text) })
  return {
    version: `${await versionOf(redis)}, ioredis ${packageVersion("ioredis")}, BullMQ ${packageVersion("bullmq")}`,
    async load(entries) {
      let pipeline = redis.pipeline()
      for (const { key, value } of entries) {
        pipeline.set(textOf(key), JSON.stringify(value))
        if (pipeline.length < LOAD_AT_ONCE) continue
        await pipeline.exec()
        pipeline = redis.pipeline()
      }
      await pipeline.exec()
    },
    get: async (key) => entryOf(key, await redis.get(textOf(key))),
    async getMany(keys) {
      const texts = await redis.mget(keys.map(textOf))
      return keys.map((key, at) => entryOf(key, texts[at]))
    },
    set: async (key, value) => ({ ok: (await redis.set(textOf(key), JSON.stringify(value))) === "OK" }),
    add: async (key, amount) => ({ ok: Number.isInteger(await redis.incrby(textOf(key), amount)) }),
    counter: async (key) => Number(await redis.get(textOf(key))),
    delete: (key) => redis.del(textOf(key)),
    queue: (_path, handler) => openQueue(connection, handler),
    close: () => redis.disconnect(),
  }
}

let queues = 0

async function openQueue(connection, handler) {
  const { Queue, Worker } = await import("bullmq")
  const name = `queue-${++queues}`
  const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true } })
  const worker =
    handler &&
    new Worker(name, async ({ data }) => handler(data), {
      connection: { ...connection, maxRetriesPerRequest: null },
      concurrency: CONCURRENCY,
    })
  await Promise.all([queue.waitUntilReady(), worker?.waitUntilReady()])
  return {
    enqueue: async (value) => ({ ok: (await queue.add("message", value)).id !== undefined }),
    async close() {
      await worker?.close()
      await queue.obliterate({ force: true })
      await queue.close()
    },
  }
}

/** A shell holds it, and ends it when this process is gone, however that ends. */
function startServer(folder, port) {
  mkdirSync(folder, { recursive: true })
  const options = [
    "--port",
    port,
    "--bind",
    "127.0.0.1",
    "--dir",
    folder,
    "--save",
    "",
    "--appendonly",
    "yes",
  ]
  const script = `redis-server "$@" >/dev/null & server=$!; read -r _; kill -9 $server`
  const args = ["-c", script, "redis", ...options.map(String), "--appendfsync", "always"]
  spawn("sh", args, { stdio: ["pipe", "ignore", "inherit"] }).unref()
}

async function answering(redis) {
  const end = performance.now() + START_MS
  for (;;) {
    try {
      if (redis.status === "wait") await redis.connect()
      await redis.ping()
      return
    } catch (error) {
      if (performance.now() > end) throw error
      await sleep(20)
    }
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address()
  server.close()
  await once(server, "close")
  return port
}

const versionOf = async (redis) => /redis_version:(\S+)/.exec(await redis.info("server"))?.[1]

function packageVersion(name) {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, "utf8")).version
}
