import assert from "node:assert/strict"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { pathToFileURL } from "node:url"
import { Kv } from "@buntime/keyval"
import { refused } from "./support/assert.js"
import { Random } from "./support/random.js"
import { sql } from "./support/runtimes.js"
import { tempFolder } from "./support/targets.js"

async function inFolder(work) {
  const folder = tempFolder()
  try {
    await work(folder.path)
  } finally {
    folder.dispose()
  }
}

/** Everything in a folder, byte by byte. */
function contents(folder) {
  return readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("hex")])
}

async function writes(url, file) {
  const kv = new Kv(url)
  await kv.set(["a"], 1)
  await kv.close()
  assert.equal(existsSync(file), true, `${url} did not make ${file}`)
  assert.deepEqual(readFileSync(file).subarray(0, 15).toString(), "SQLite format 3")
}

/** A file is refused and left byte for byte, alone in its folder. */
async function refusesFile(folder, name, code) {
  const file = join(folder, name)
  const before = contents(folder)
  for (let at = 0; at < 2; at++) {
    await refused(() => new Kv(file), code)
    await refused(() => new Kv(file, { changeLog: "values" }), code)
  }
  assert.deepEqual(contents(folder), before)
}

describe("opening", () => {
  test("a path, a file: text and a file: URL are the same file", () =>
    inFolder(async (folder) => {
      const file = join(folder, "store.db")
      for (const url of [
        file,
        `file:${file}`,
        `file://${file}`,
        pathToFileURL(file),
        pathToFileURL(file).href,
      ]) {
        await writes(url, file)
      }
      assert.deepEqual(readdirSync(folder), ["store.db"])
    }))

  test("odd characters in a path, given as a path and as a URL", () =>
    inFolder(async (folder) => {
      for (const name of [
        "a b.db",
        "ü 日本.db",
        "100%.db",
        "what?.db",
        "a#b.db",
        "a;b'c\".db",
        "%41.db",
        "a&mode=ro.db",
      ]) {
        await writes(join(folder, name), join(folder, name))
        await writes(pathToFileURL(join(folder, name)), join(folder, name))
      }
      assert.equal(readdirSync(folder).length, 8)
    }))

  test("a path is relative to the working directory", () =>
    inFolder(async (folder) => {
      const before = process.cwd()
      try {
        process.chdir(folder)
        await writes("./one.db", join(folder, "one.db"))
        await writes("file:two.db", join(folder, "two.db"))
        await writes("file:./below/three.db", join(folder, "below", "three.db"))
      } finally {
        process.chdir(before)
      }
    }))

  test("a missing folder is created", () =>
    inFolder(async (folder) => {
      const file = join(folder, "a", "b c", "store.db")
      await writes(file, file)
    }))

  test("an empty file is adopted", () =>
    inFolder(async (folder) => {
      const file = join(folder, "store.db")
      writeFileSync(file, "")
      await writes(file, file)
    }))

  // Law 8. Seen to fail: run the migrations on whatever opens.
  for (const [what, bytes] of [
    ["noise", Uint8Array.from(new Random(5).many(20_000, () => 7)).map((_, at) => (at * 131) % 256)],
    ["text", Buffer.from("this is a diary, and no database\n".repeat(300))],
    ["two bytes", Uint8Array.of(0, 0)],
    ["the beginning of a header", Buffer.from("SQLite format 3\0")],
    ["zeros", new Uint8Array(8192)],
  ]) {
    test(`a foreign file is CORRUPT and untouched: ${what}`, () =>
      inFolder(async (folder) => {
        writeFileSync(join(folder, "foreign"), bytes)
        await refusesFile(folder, "foreign", "CORRUPT")
      }))
  }

  for (const [what, ...statements] of [
    ["with a table", "CREATE TABLE diary (day TEXT)", "INSERT INTO diary VALUES ('monday')"],
    ["with a kv_entries of its own", "CREATE TABLE kv_entries (k TEXT PRIMARY KEY, v TEXT)"],
    ["with a view alone", "CREATE VIEW v AS SELECT 1"],
    ["in WAL mode", "PRAGMA journal_mode = WAL", "CREATE TABLE diary (day TEXT)"],
  ]) {
    test(`a foreign database is CORRUPT and untouched: ${what}`, () =>
      inFolder(async (folder) => {
        await sql(join(folder, "foreign.db"), ...statements)
        await refusesFile(folder, "foreign.db", "CORRUPT")
      }))
  }

  test("a file of a newer version is UNSUPPORTED and untouched", () =>
    inFolder(async (folder) => {
      const file = join(folder, "store.db")
      await writes(file, file)
      const [columns] = await sql(file, "SELECT name FROM pragma_table_info('kv_meta')")
      const [key, value] = columns.map(({ name }) => name)
      const newer = `CASE typeof("${value}") WHEN 'text' THEN '999' ELSE 999 END`
      const [, [changed]] = await sql(
        file,
        `UPDATE kv_meta SET "${value}" = ${newer} WHERE "${key}" = 'schema_version'`,
        "SELECT count(*) AS rows FROM kv_meta WHERE CAST(value AS TEXT) = '999'",
      )
      assert.equal(changed.rows, 1)
      await refusesFile(folder, "store.db", "UNSUPPORTED")
    }))

  test("a folder is refused", () =>
    inFolder(async (folder) => {
      mkdirSync(join(folder, "store.db"))
      await refused(
        () => new Kv(join(folder, "store.db")),
        "INVALID_ARGUMENT",
        /is a folder; give a file in it/,
      )
      await refused(() => new Kv(`${folder}/`), "INVALID_ARGUMENT", /names a folder; give a file in it/)
      await refused(() => new Kv(`${folder}/none/`), "INVALID_ARGUMENT", /names a folder; give a file in it/)
      assert.deepEqual(readdirSync(folder), ["store.db"])
      assert.deepEqual(readdirSync(join(folder, "store.db")), [])
    }))

  // All forms, and what each error says to do, are tested in src/base/config/location.rs. Seen to fail: each
  // made a file.
  test("what evidently means no file of that name makes none", () =>
    inFolder(async (folder) => {
      const before = process.cwd()
      try {
        process.chdir(folder)
        for (const url of [
          ":memory:?cache=shared",
          ":memory:#a",
          ":MEMORY:",
          ":memory",
          ":memory: ",
          "file::memory:?mode=memory",
          " ",
          ":temp:",
          ":mem:",
          ":MEM:",
          "memory",
          "true",
          "null",
          "[object Object]",
          "$DB/app.db",
          "%APPDATA%/app.db",
          "app.db?mode=ro",
          "app.db\n",
          '"app.db"',
          "undefined",
          "file:undefined",
          "file:null",
          "./undefined.db",
          "undefined/kv.db",
          join(folder, "undefined", "kv.db"),
          pathToFileURL(join(folder, "[object Object]", "kv.db")),
          "~/app.db",
          "file:///~/app.db",
          "$HOME/app.db",
          "dir/sub/",
          ...(process.platform === "win32" ? [] : ["C:\\data\\app.db"]),
        ]) {
          await refused(() => new Kv(url), "INVALID_ARGUMENT", /give /)
          assert.deepEqual(readdirSync(folder), [], url)
        }
        const kv = new Kv(":memory:")
        await refused(() => kv.backup("~/copy.db"), "INVALID_ARGUMENT", /^path: .*homedir/)
        await refused(() => kv.backup("copies/"), "INVALID_ARGUMENT", /^path: .*names a folder/)
        await refused(
          () => kv.backup("copies/undefined.db"),
          "INVALID_ARGUMENT",
          /^path: "undefined.db" in .*JavaScript/,
        )
        await kv.close()
        assert.deepEqual(readdirSync(folder), [])
      } finally {
        process.chdir(before)
      }
    }))

  test("a folder that cannot be made is UNAVAILABLE", () =>
    inFolder(async (folder) => {
      writeFileSync(join(folder, "file"), "x")
      await refused(() => new Kv(join(folder, "file", "store.db")), "UNAVAILABLE")
    }))

  test("a bad option makes no file", () =>
    inFolder(async (folder) => {
      await refused(() => new Kv(join(folder, "below", "store.db"), { durability: "x" }), "INVALID_ARGUMENT")
      assert.deepEqual(readdirSync(folder), [])
    }))

  test("every option at its ends", () =>
    inFolder(async (folder) => {
      const file = join(folder, "store.db")
      const options = [
        {},
        undefined,
        { durability: "full", changeLog: "keys", busyTimeout: 0, sweepInterval: 0, retention: 1 },
        { durability: "normal", changeLog: "values", busyTimeout: "1h", sweepInterval: 10, retention: "1y" },
        { durability: "off", changeLog: "off", busyTimeout: 1, sweepInterval: "1h" },
        { durability: undefined, changeLog: undefined, busyTimeout: undefined, sweepInterval: undefined },
      ]
      for (const option of options) {
        const kv = new Kv(file, option)
        await kv.set(["a"], 1)
        await kv.close()
      }
    }))
})
