import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { snapshot } from "../../support/assert.js"
import { Random } from "../../support/random.js"
import { commandOf, nodeOnly, root, run, runtimes, sql, start } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const ACCOUNTS = 8
const BALANCE = 1000
const KILLS = 6
/** Of these at least one comes while a copy is made. */
const MOST_KILLS = 60

async function inFolder(work) {
  const folder = tempFolder()
  try {
    await work(folder.path, join(folder.path, "store.db"), join(folder.path, "backups", "copy.db"))
  } finally {
    folder.dispose()
  }
}

/** A store of about 8 MB with accounts. */
async function fill(file) {
  const kv = new Kv(file)
  await kv.setMany(Array.from({ length: 2000 }, (_, at) => ({ key: ["n", at], value: "v".repeat(4000) })))
  await kv.setMany(Array.from({ length: ACCOUNTS }, (_, at) => ({ key: ["account", at], value: BALANCE })))
  await kv.close()
}

/** Starts a program and waits until it says that it is ready. */
async function started(runtime, program, args) {
  const process = start(runtime, program, args)
  const ready = new Promise((resolve) => {
    process.child.stdout.on("data", () => process.said.stdout.includes("ready") && resolve())
  })
  const early = await Promise.race([ready, process.ended])
  assert.equal(early, undefined, `${program} ended at once: ${early?.stderr}`)
  return process
}

async function kill({ child, ended }) {
  child.kill("SIGKILL")
  const { signal, stderr } = await ended
  assert.equal(signal, "SIGKILL", stderr)
}

/** A copy is one moment of the store, and sound. Looked at by another process before KeyVal opens it. */
async function checkCopy(copy, versionstamp) {
  const [sound] = await sql(copy, "PRAGMA integrity_check")
  assert.deepEqual(sound, [{ integrity_check: "ok" }])
  const kv = new Kv(copy, { sweepInterval: 0 })
  const entries = await snapshot(kv)
  await kv.close()
  const held = entries.filter(({ key }) => key[0] === "account").map(({ value }) => BigInt(value))
  assert.equal(held.length, ACCOUNTS)
  assert.equal(
    held.reduce((sum, one) => sum + one, 0n),
    BigInt(ACCOUNTS * BALANCE),
  )
  const newest = entries.map((entry) => entry.versionstamp).sort()
  if (versionstamp !== undefined) assert.equal(newest.at(-1), versionstamp)
}

const copies = (stdout) =>
  stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "ready")
    .map((line) => JSON.parse(line))

describe(`process: backup (KEYVAL_SEED=${SEED})`, nodeOnly, () => {
  // Seen to fail: copy without a read transaction (it starts over with each commit of the others, and never
  // ends).
  test("two processes write while a third one backs up", { timeout: 600_000 }, () =>
    inFolder(async (_folder, file, copy) => {
      await fill(file)
      const writers = []
      try {
        for (const runtime of runtimes)
          writers.push(await started(runtime, "store/backup-writer.js", [file, ACCOUNTS]))
        let before = ""
        for (const runtime of [...runtimes, ...runtimes]) {
          const { code, stdout, stderr } = await run(runtime, "store/backup-taker.js", [
            file,
            copy,
            2,
            "commit",
          ])
          assert.equal(code, 0, stderr)
          const results = copies(stdout)
          assert.equal(results.length, 2)
          for (const { own, versionstamp } of results) {
            assert.ok(own > before, `${own} after ${before}`)
            assert.ok(versionstamp >= own, `${versionstamp}, though ${own} was committed before it`)
            before = versionstamp
          }
          assert.equal(results[1].bytes, statSync(copy).size)
          await checkCopy(copy, results[1].versionstamp)
        }
      } finally {
        for (const writer of writers) await kill(writer)
      }
      await checkCopy(file)
      assert.deepEqual(readdirSync(join(copy, "..")), ["copy.db"])
    }),
  )

  // Seen to fail: write the copy under its final name.
  test(
    `${KILLS} kills leave a whole copy, and at most an unfinished file that the next one removes`,
    {
      timeout: 600_000,
    },
    () =>
      inFolder(async (_folder, file, copy) => {
        const random = new Random(SEED)
        await fill(file)
        let leftovers = 0
        for (let at = 0; at < KILLS || (leftovers === 0 && at < MOST_KILLS); at++) {
          const taker = await started(runtimes[at % 2], "store/backup-taker.js", [file, copy, 10_000])
          await new Promise((resolve) => setTimeout(resolve, random.int(150)))
          await kill(taker)
          const names = readdirSync(join(copy, ".."))
          const rest = names.filter((name) => name !== "copy.db")
          assert.ok(rest.length <= 1, String(names))
          for (const name of rest) assert.match(name, /^copy\.db\.keyval-partial-[0-9a-f]{8}$/)
          leftovers += rest.length
          if (existsSync(copy)) await checkCopy(copy)
        }
        assert.ok(leftovers > 0, "no kill came while a copy was made")
        const kv = new Kv(file)
        await kv.backup(copy, { overwrite: true })
        await kv.close()
        assert.deepEqual(readdirSync(join(copy, "..")), ["copy.db"])
        await checkCopy(copy)
        await checkCopy(file)
      }),
  )

  for (const runtime of runtimes) {
    test(
      `${runtime}: a disk without room is UNAVAILABLE, leaves nothing, and the store goes on`,
      {
        skip: process.platform === "linux" ? false : "ulimit -f is of Linux",
      },
      () =>
        inFolder(async (folder, file, copy) => {
          await fill(file)
          const program = join(root, "__test__/process/children/store/backup-taker.js")
          // No file may grow over 4 MiB: half of the copy.
          const shell = `trap '' XFSZ; ulimit -f ${(4 * 1024 * 1024) / 512}; exec "$@"`
          const command = ["-c", shell, "sh", commandOf(runtime), program, file, copy, "2"]
          const { status, stdout, stderr } = spawnSync("sh", command, { cwd: root, encoding: "utf8" })
          assert.equal(status, 0, stderr)
          for (const { code, message } of copies(stdout)) assert.equal(code, "UNAVAILABLE", message)
          assert.deepEqual(readdirSync(folder), ["store.db"])
          await checkCopy(file)
        }),
    )
  }
})
