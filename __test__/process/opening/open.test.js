import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { Crew } from "../../support/crew.js"
import { Random } from "../../support/random.js"
import { commandOf, nodeOnly, root, runOk, runtimes, sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const RACES = 25
/** From the order to open until both do. */
const TOGETHER_MS = 10
const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const NOBODY = 65534

async function inFolder(work) {
  const folder = tempFolder()
  const crew = new Crew()
  try {
    await work(folder.path, crew)
  } finally {
    await crew.dismiss()
    folder.dispose()
  }
}

/** A closed store of some hundred pages. */
async function writeStore(file, count = 3000) {
  const kv = new Kv(file)
  const value = (at) => ({ at, pad: "x".repeat(200) })
  await kv.setMany(Array.from({ length: count }, (_, at) => ({ key: ["n", at], value: value(at) })))
  await kv.close()
}

/** A copy of the built package. */
function copyPackage(folder) {
  const place = join(folder, "package")
  mkdirSync(place)
  const built = readdirSync(root).filter(
    (name) => name === "package.json" || name === "native.cjs" || name.endsWith(".node"),
  )
  for (const name of built) copyFileSync(join(root, name), join(place, name))
  cpSync(join(root, "dist"), join(place, "dist"), { recursive: true })
  return place
}

/** The package where everybody may read it, and who else may run this runtime; null if nobody may. */
function packageForNobody(folder, runtime) {
  const place = copyPackage(folder)
  cpSync(join(root, "__test__/process/children"), place, { recursive: true })
  for (const path of [folder, place]) chmodSync(path, 0o755)
  const who = process.getuid() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const probe = spawnSync(commandOf(runtime), ["-e", "0"], {
    ...who,
    cwd: "/",
    env: { PATH: process.env.PATH },
  })
  return probe.status === 0 ? { program: join(place, "opening/open-read.js"), who } : null
}

describe(`process: open (KEYVAL_SEED=${SEED})`, nodeOnly, () => {
  // Seen to fail: read the schema version outside of the transaction that creates the tables.
  test("two processes open a new file at once", { timeout: 600_000 }, () =>
    inFolder(async (folder, crew) => {
      const racers = runtimes.map((runtime) => crew.launch(runtime, "opening/open-race.js", [folder]))
      await Promise.all(racers.map((racer) => racer.says(/^ready$/)))
      for (let at = 0; at < RACES; at++) {
        const order = `${at} ${Date.now() + TOGETHER_MS}`
        const said = await Promise.all(racers.map((racer) => racer.ask(order, /^(done|error)/)))
        assert.deepEqual(said, ["done", "done"])
        const kv = new Kv(join(folder, `${at}.db`))
        assert.equal((await kv.get(["opened"])).value, 2n)
        await kv.close()
      }
      await Promise.all(racers.map((racer) => racer.end()))
    }),
  )

  for (const runtime of runtimes) {
    test(`${runtime}: a truncated file is CORRUPT, and never a crash`, { timeout: 600_000 }, () =>
      inFolder(async (folder) => {
        const whole = join(folder, "whole.db")
        await writeStore(whole)
        const size = readFileSync(whole).length
        const sizes = [50, 100, 512, 4095, 4096, 4097, 8192, Math.floor(size / 2), size - 4096]
        const files = sizes.map((bytes) => {
          const file = join(folder, `${bytes}.db`)
          copyFileSync(whole, file)
          truncateSync(file, bytes)
          return file
        })
        const results = await runOk(runtime, "opening/open-read.js", files)
        for (const [at, { outcome, message }] of results.entries()) {
          assert.equal(outcome, "CORRUPT", `${sizes[at]} of ${size} bytes: ${outcome} ${message ?? ""}`)
        }
      }),
    )

    test(`${runtime}: a damaged file is CORRUPT or read, and never a crash`, { timeout: 600_000 }, () =>
      inFolder(async (folder) => {
        const whole = join(folder, "whole.db")
        await writeStore(whole)
        const bytes = readFileSync(whole)
        const random = new Random(SEED)
        const files = random.many(30, () => {
          const file = join(folder, `${random.int(2 ** 30)}.db`)
          const damaged = Uint8Array.from(bytes)
          const from = random.chance(0.3) ? random.int(4096) : random.int(bytes.length)
          for (let at = from; at < Math.min(bytes.length, from + 1 + random.int(600)); at++)
            damaged[at] = random.int(256)
          writeFileSync(file, damaged)
          return file
        })
        for (const { outcome, message } of await runOk(runtime, "opening/open-read.js", files)) {
          assert.ok(["ok", "CORRUPT", "UNSUPPORTED"].includes(outcome), `${outcome}: ${message}`)
        }
      }),
    )

    test(
      `${runtime}: what may not be written is UNAVAILABLE, and stays as it is`,
      { timeout: 600_000 },
      (t) =>
        inFolder(async (folder) => {
          const nobody = packageForNobody(folder, runtime)
          if (!nobody) return t.skip("nobody may run this runtime")
          const [locked, fixed] = ["locked", "fixed"].map((name) => join(folder, name))
          mkdirSync(locked)
          mkdirSync(fixed)
          const [inLocked, inFixed] = [join(locked, "store.db"), join(fixed, "store.db")]
          for (const file of [inLocked, inFixed]) await writeStore(file, 10)
          const before = [inLocked, inFixed].map((file) => readFileSync(file).toString("hex"))
          for (const file of [inLocked, inFixed]) chmodSync(file, 0o444)
          chmodSync(locked, 0o555)
          const files = [inLocked, inFixed, join(locked, "new.db"), join(locked, "folder", "new.db")]
          const options = { ...nobody.who, cwd: "/", env: { PATH: process.env.PATH } }
          const results = await runOk(runtime, nobody.program, files, options)
          assert.deepEqual(
            results.map(({ outcome }) => outcome),
            Array(4).fill("UNAVAILABLE"),
            JSON.stringify(results),
          )
          const after = [inLocked, inFixed].map((file) => readFileSync(file).toString("hex"))
          assert.deepEqual(after, before)
          assert.deepEqual(readdirSync(locked), ["store.db"])
          chmodSync(locked, 0o755)
        }),
    )

    // POSIX drops the locks of a process when any SQLite library in it closes the file.
    test(
      `${runtime}: a second copy of the addon is refused while the first has the file open`,
      { timeout: 600_000 },
      () =>
        inFolder(async (folder) => {
          const args = [join(folder, "store.db"), copyPackage(folder)]
          const said = await runOk(runtime, "opening/two-copies.js", args)
          assert.deepEqual(said, { refused: "UNSUPPORTED", refusedToo: "UNSUPPORTED", count: 3 })
        }),
    )

    test(
      `${runtime}: new Kv() opens KEYVAL_URL, else LIBSQL_URL, else keyval.db of the working directory`,
      { timeout: 600_000 },
      () =>
        inFolder(async (folder) => {
          const { KEYVAL_URL: _, LIBSQL_URL: __, ...env } = process.env
          const open = (more) =>
            runOk(runtime, "opening/open-default.js", [], { cwd: folder, env: { ...env, ...more } })
          assert.equal(await open({}), "ok")
          assert.deepEqual(readdirSync(folder), ["keyval.db"])
          assert.equal(await open({ LIBSQL_URL: `file:${join(folder, "other.db")}` }), "ok")
          assert.equal(existsSync(join(folder, "other.db")), true)
          // Seen to fail: the other of the two.
          const both = {
            KEYVAL_URL: `file:${join(folder, "first.db")}`,
            LIBSQL_URL: "libsql://example.invalid",
          }
          assert.equal(await open(both), "ok")
          assert.equal(existsSync(join(folder, "first.db")), true)
          assert.match(
            await open({ KEYVAL_URL: "null" }),
            /^INVALID_ARGUMENT KvError: process\.env\.KEYVAL_URL: /,
          )
          assert.equal(await open({ ...both, KEYVAL_URL: "", LIBSQL_URL: both.KEYVAL_URL }), "ok")
          // Seen to fail: "url: …", as if the program had given it.
          for (const [LIBSQL_URL, said] of [
            [
              "libsql://example.invalid",
              /^UNSUPPORTED KvError: process\.env\.LIBSQL_URL: libsql:.* is a server/,
            ],
            [
              "postgres://example",
              /^INVALID_ARGUMENT KvError: process\.env\.LIBSQL_URL: the scheme "postgres"/,
            ],
            [
              "undefined",
              /^INVALID_ARGUMENT KvError: process\.env\.LIBSQL_URL: "undefined" is what JavaScript/,
            ],
          ]) {
            const refusal = await open({ LIBSQL_URL })
            assert.match(refusal, said)
            assert.match(refusal, /open-default\.js/)
          }
        }),
    )
  }

  test("a file whose writer is gone for ever is sound", () =>
    inFolder(async (folder) => {
      const file = join(folder, "store.db")
      await writeStore(file)
      assert.deepEqual(await sql(file, "PRAGMA integrity_check"), [[{ integrity_check: "ok" }]])
      assert.deepEqual(readdirSync(folder), ["store.db"], "close leaves the file alone")
    }))
})
