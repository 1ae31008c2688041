// file-moved-later.js <folder> <who>: opens files, and takes each of them away in another way while it is
// open. <who> notices it: `set`, the next write where nothing has happened in the folder for long; `watch`, a
// process that only watches and listens; `get`, one that only reads. Prints what every call says then, which
// values were read, and what is in the files.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { Kv } from "@buntime/keyval"
import { shiftClock } from "../../../../dist/testing.js"
import { until } from "../../../support/crew.js"
import { printJson } from "../lines.js"

const [, , folder, who] = process.argv
/**
 * A folder in which nothing has happened for longer is looked at in place of the files: at the second look
 * after such a time.
 */
const SETTLED_MS = 3000

/** How a file is taken away, and where its entries are then. */
const WAYS = {
  renamed(path) {
    renameSync(path, `${path}.moved`)
    return `${path}.moved`
  },
  deleted(path) {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix)
  },
  replaced: (path) => renameSync(`${path}.other`, path),
  "without its log": (path) => {
    rmSync(`${path}-wal`)
    return path
  },
  "without its index": (path) => {
    rmSync(`${path}-shm`)
    return path
  },
}

const READS = {
  get: (kv) => kv.get(["a"]),
  getMany: (kv) => kv.getMany([["a"], ["b"]]),
  count: (kv) => kv.count([]),
  list: (kv) => kv.list([]).next(),
  where: (kv) => kv.list([], { where: { x: 1 } }).next(),
  paginate: (kv) => kv.paginate([]),
  search: (kv) => kv.search(["posts"], "text").next(),
  changes: (kv) => kv.changes({ live: false })[Symbol.asyncIterator]().next(),
  transaction: (kv) => kv.transaction((tx) => tx.get(["a"])),
  info: (kv) => kv.info(),
  metrics: (kv) => kv.metrics(),
  listIndexes: (kv) => kv.listIndexes(),
  queueStats: (kv) => kv.queueStats(),
  backup: (kv, path) => kv.backup(`${path}.copy`),
  opening: (_, path) => new Kv(path).close(),
  "opening with other settings": (_, path) => new Kv(path, { retention: "2h" }).close(),
}

async function open(path) {
  const other = new Kv(`${path}.other`)
  await other.set(["a"], "of another file")
  await other.close()
  const kv = new Kv(path, { sweepInterval: 0 })
  await kv.createIndex(["posts"], { fields: ["text"] })
  await kv.set(["a"], "own")
  return kv
}

async function settle(kv) {
  for (let n = 0; n < 2; n++) {
    const began = performance.now()
    await until(() => performance.now() - began > SETTLED_MS, "time")
    await kv.set(["a"], "own")
  }
}

/**
 * Until `is` says so; with each look 11 s pass for the store, so that what was noticed keeps from reading.
 */
async function untilLater(kv, is, what) {
  let looks = 0
  await until(() => {
    shiftClock(kv, 11_000 * ++looks)
    return is()
  }, what)
}

/** Until it is noticed: who notices it. */
const NOTICE = {
  set: (kv, note) => kv.set(["b"], 1).catch((error) => note("set", error)),
  watch: (kv, _, said) => untilLater(kv, () => said.watch && said.listener, "the watch and the listener"),
  // That is what is done after it in any case.
  get: () => {},
}

async function takeAway(way, n) {
  const path = join(folder, `${n}`, "app.db")
  mkdirSync(join(folder, `${n}`))
  const kv = await open(path)
  const said = {}
  const note = (of, { code, message }) => {
    said[of] = { code, message: message.replaceAll(folder, "") }
  }
  if (who === "set") await settle(kv)
  if (who === "watch") {
    let initial
    kv.watch([["a"]], ([{ value }]) => (initial = value), { onError: (error) => note("watch", error) })
    kv.listenQueue(() => {}, { onError: (error) => note("listener", error) })
    await until(() => initial !== undefined, "the watch")
  }
  const now = WAYS[way](path)
  await NOTICE[who](kv, note, said)
  const values = []
  if (who === "set") values.push((await kv.get(["a"])).value)
  const isRefused = async () => {
    const entry = await kv.get(["a"]).catch((error) => note("get", error))
    if (entry) values.push(entry.value)
    return !entry
  }
  await untilLater(kv, isRefused, "a get that is refused")
  // Another file at this path would be taken to own the log that lies beside it.
  await until(() => !existsSync(`${path}-wal`) || statSync(`${path}-wal`).size === 0, "an empty log")
  const names = readdirSync(dirname(path))
  for (const [of, read] of Object.entries(READS)) {
    // Synchronous errors, too.
    await (async () => read(kv, path))().catch((error) => note(of, error))
  }
  const made = readdirSync(dirname(path)).filter((name) => !names.includes(name))
  await kv.close()
  const entries = {}
  for (const file of new Set([path, now])) {
    if (!file || !existsSync(file)) continue
    const again = new Kv(file)
    entries[file.endsWith("moved") ? "moved" : "there"] = (await again.get(["a"])).value
    await again.close()
  }
  return { way, said, values: [...new Set(values)], made, entries }
}

printJson({ reads: Object.keys(READS), ways: await Promise.all(Object.keys(WAYS).map(takeAway)) })
