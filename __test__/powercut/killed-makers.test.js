import assert from "node:assert/strict"
import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { needsFaults, withFaults } from "../faults/index.js"
import { Random } from "../support/random.js"
import { tempFolder } from "../support/targets.js"
import { Disk } from "./disk.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 30))
const CUTS = 8
/** Changes that are each looked at; of the later ones, every so many: the names are made first. */
const EACH = 16
const EVERY = 8
/** More changes than any of these makes. */
const MOST_CHANGES = 200

/**
 * Makes a file in new folders, and is killed meanwhile or, in the last run, after it. Handed over as text.
 */
const KILLED = {
  opener: async ({ Kv, args: [path] }) => {
    new Kv(path)
    console.log("done")
    process.kill(process.pid, "SIGKILL")
  },
  backup: async ({ Kv, args: [path] }) => {
    const kv = new Kv(":memory:")
    await kv.backup(path)
    console.log("done")
    process.kill(process.pid, "SIGKILL")
  },
}

/** The writes that a second process has acknowledged, by file. It is killed, too: closing would sync more. */
const ACKNOWLEDGED = {
  opener: async ({ Kv, args: paths }) => {
    for (const path of paths) await new Kv(path).set(["k"], 1)
    process.kill(process.pid, "SIGKILL")
  },
  backup: async ({ Kv, args: paths }) => {
    const kv = new Kv(":memory:")
    await kv.set(["k"], 1)
    for (const path of paths) await kv.backup(path, { overwrite: true })
    process.kill(process.pid, "SIGKILL")
  },
}

/** Files that processes made which were killed, each at another change: gives their paths. */
async function killAtEach(work, { folder, faults, start, started }) {
  const paths = []
  for (let nth = 1; nth < MOST_CHANGES; nth += nth < EACH ? 1 : EVERY) {
    const path = join(folder, `killed at ${nth}`, "a", "b", "store.db")
    paths.push(path)
    faults.killAt(nth)
    const { signal, stdout, stderr } = await start("node", ...started(work, [path])).ended
    faults.clear()
    assert.equal(signal, "SIGKILL", stderr)
    if (stdout.includes("done")) return paths
  }
  throw new Error("it makes changes without end")
}

async function read(path) {
  if (!existsSync(path)) return "no file"
  const kv = new Kv(path, { sweepInterval: 0 })
  const { value } = await kv.get(["k"])
  await kv.close()
  return value
}

/**
 * A process that finds a folder or a file does not know whether their names are on disk: their maker may have
 * been killed, or may not have synced them yet.
 *
 * Seen to fail: where only the parents of folders that were missing were synced.
 */
describe(
  `power cuts after a process was killed while it made a file (KEYVAL_SEED=${SEED})`,
  needsFaults,
  () => {
    for (const what of Object.keys(KILLED))
      test(`${what}: what the next one has acknowledged is there`, { timeout: 600_000 }, () =>
        withFaults(async (given) => {
          const { folder, events, start, started } = given
          const [place, random] = [tempFolder(), new Random(SEED)]
          try {
            const before = join(place.path, "before")
            mkdirSync(before)
            const paths = await killAtEach(KILLED[what], given)
            const { signal, stderr } = await start("bun", ...started(ACKNOWLEDGED[what], paths)).ended
            assert.equal(signal, "SIGKILL", stderr)
            const disk = new Disk({ root: folder, before, mode: "strict", random })
            for (const event of events()) disk.feed(event)
            for (let at = 1; at <= CUTS; at++) {
              const state = join(place.path, `state-${at}`)
              mkdirSync(state)
              const cut = disk.cut(state)
              for (const path of paths)
                assert.equal(
                  await read(join(state, path.slice(folder.length))),
                  1,
                  `${path}, cut ${at}, ${cut}`,
                )
            }
          } finally {
            place.dispose()
          }
        }),
      )
  },
)
