import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv, KvU64 } from "@buntime/keyval"
import { encodeKey, setClock, sweep } from "../../../dist/testing.js"
import { nodeOnly, sql } from "../../support/runtimes.js"
import { T0 } from "../../support/store.js"
import { toHex } from "../../support/tables/key-vectors.js"
import { tempFolder } from "../../support/targets.js"

const LOG =
  "SELECT seq, hex(key) AS key, op, versionstamp, value IS NOT NULL AS has_value FROM kv_changes ORDER BY seq"

/** Opens a file, works, closes, and gives what SQL then says of it. */
async function afterwards(work, ...statements) {
  const folder = tempFolder()
  const file = join(folder.path, "store.db")
  const withKv = async (options, use) => {
    const kv = new Kv(file, { sweepInterval: 0, ...options })
    try {
      return await use(kv)
    } finally {
      await kv.close()
    }
  }
  try {
    await work(withKv)
    return await sql(file, ...statements)
  } finally {
    folder.dispose()
  }
}

function hexOf(key) {
  return toHex(encodeKey(key)).toUpperCase()
}

describe("process: what is on disk", nodeOnly, () => {
  test("the columns stand in their documented order, the value last", async () => {
    const tables = { kv_entries: 5, kv_changes: 6 }
    const asked = Object.keys(tables).map((table) => `SELECT name FROM pragma_table_info('${table}')`)
    const rows = await afterwards((open) => open({}, (kv) => kv.set(["a"], 1)), ...asked)
    const [entries, changes] = rows.map((columns) => columns.map(({ name }) => name))
    assert.deepEqual(entries, ["key", "versionstamp", "expires_at", "encoding", "value"])
    assert.deepEqual(changes, ["seq", "key", "op", "versionstamp", "encoding", "value"])
  })

  test("every table of the schema is there", async () => {
    const [rows] = await afterwards(
      (open) => open({}, () => {}),
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'kv\\_%' ESCAPE '\\' ORDER BY name",
    )
    const names = rows.map(({ name }) => name)
    const documented = [
      "changes",
      "commits",
      "consumers",
      "dlq",
      "entries",
      "indexes",
      "locks",
      "meta",
      "queue",
    ]
    assert.deepEqual(
      names,
      documented.map((name) => `kv_${name}`),
    )
  })

  test("keys, stamps and values are stored as documented", async () => {
    const stamps = []
    const [rows] = await afterwards(
      (open) =>
        open({}, async (kv) => {
          setClock(kv, T0)
          const values = [{ a: [1, "é"] }, { n: 1n }, Uint8Array.of(0, 255), new KvU64(258n)]
          for (const [at, value] of values.entries()) {
            const options = at === 0 ? { expiresIn: 5 } : {}
            stamps.push((await kv.set(["k", at], value, options)).versionstamp)
          }
        }),
      "SELECT hex(key) AS key, typeof(versionstamp) AS type, versionstamp, expires_at, encoding, hex(value) AS value FROM kv_entries ORDER BY key",
    )
    assert.deepEqual(
      rows.map(({ key }) => key),
      [0, 1, 2, 3].map((at) => hexOf(["k", at])),
    )
    assert.deepEqual(
      rows.map(({ versionstamp }) => versionstamp),
      stamps,
    )
    assert.deepEqual(
      rows.map(({ expires_at }) => expires_at),
      [T0 + 5, null, null, null],
    )
    assert.deepEqual(
      rows.map(({ encoding }) => encoding),
      [0, 1, 2, 3],
    )
    const texts = rows.map(({ value }) => Buffer.from(value, "hex"))
    assert.equal(texts[0].toString(), '{"a":[1,"é"]}')
    assert.deepEqual(JSON.parse(texts[1].toString()), { n: { __type: "bigint", value: "1" } })
    assert.deepEqual([rows[2].value, rows[3].value], ["00FF", "0201000000000000"])
    assert.ok(rows.every(({ type }) => type === "text"))
  })

  test("stamps share their last 42 bits, and count in a millisecond", async () => {
    const stamps = []
    const work = async (kv) => {
      setClock(kv, T0)
      for (let at = 0; at < 3; at++) stamps.push((await kv.set(["a"], at)).versionstamp)
    }
    await afterwards(async (open) => {
      await open({}, work)
      await open({}, work)
    }, "SELECT 1")
    const bits = stamps.map((stamp) => BigInt(`0x${stamp.replaceAll("-", "")}`))
    const low42 = bits.map((stamp) => stamp & (2n ** 42n - 1n))
    assert.equal(new Set(low42).size, 1)
    const counters = bits.map((stamp) => (((stamp >> 64n) & 0xfffn) << 20n) | ((stamp >> 42n) & 0xfffffn))
    assert.deepEqual(counters, [0n, 1n, 2n, 3n, 4n, 5n])
  })

  test("each commit logs one row a changed key, and touch none", async () => {
    let stamps
    const [rows] = await afterwards(
      (open) =>
        open({}, async (kv) => {
          const first = await kv.atomic().set(["a"], 1).set(["b"], 1).set(["a"], 2).commit()
          await kv.touch(["a"], { expiresIn: "1h" })
          await kv
            .atomic()
            .check({ key: ["a"], versionstamp: null })
            .set(["c"], 1)
            .commit()
          await kv.atomic().commit()
          const second = await kv.atomic().sum(["n"], 1n).delete(["none"]).commit()
          await kv.delete(["a"])
          stamps = [first.versionstamp, second.versionstamp]
        }),
      LOG,
    )
    const keys = [["a"], ["b"], ["n"], ["a"]].map(hexOf)
    assert.deepEqual(rows.map(({ key }) => key).slice(2), keys.slice(2))
    assert.deepEqual(
      rows
        .map(({ key }) => key)
        .slice(0, 2)
        .sort(),
      keys.slice(0, 2),
    )
    assert.deepEqual(
      rows.slice(0, 3).map(({ versionstamp }) => versionstamp),
      [stamps[0], stamps[0], stamps[1]],
    )
    assert.ok(rows[3].versionstamp > stamps[1])
    assert.notEqual(rows[3].op, rows[1].op)
  })

  test("a delete of a range logs every key under one stamp", async () => {
    const [rows] = await afterwards(
      (open) =>
        open({}, async (kv) => {
          await kv.setMany(Array.from({ length: 1500 }, (_, at) => ({ key: ["n", at], value: at })))
          await kv.delete({ prefix: ["n"] })
        }),
      LOG,
    )
    assert.equal(rows.length, 3000)
    assert.equal(new Set(rows.slice(1500).map(({ versionstamp }) => versionstamp)).size, 1)
  })

  test("changeLog lives in the file, and only an explicit option changes it", async () => {
    const write = (key) => (kv) => kv.set([key], "value")
    const [rows] = await afterwards(async (open) => {
      await open({}, write("keys by default"))
      await open({ changeLog: "values" }, write("values"))
      await open({}, write("still values"))
      await open({ changeLog: "off" }, write("nothing"))
      await open({}, write("still nothing"))
      await open({ changeLog: "keys" }, write("keys again"))
    }, LOG)
    // Two commits are missing in the log: what is older is forgotten, so that nobody reads on across the gap.
    assert.deepEqual(
      rows.map(({ key, has_value }) => [key, has_value]),
      [[hexOf(["keys again"]), 0]],
    )
  })

  test("changeLog from keys to values and back forgets nothing", async () => {
    const write = (key) => (kv) => kv.set([key], "value")
    const [rows] = await afterwards(async (open) => {
      await open({}, write("keys by default"))
      await open({ changeLog: "values" }, write("values"))
      await open({}, write("still values"))
      await open({ changeLog: "keys" }, write("keys again"))
    }, LOG)
    const names = ["keys by default", "values", "still values", "keys again"]
    assert.deepEqual(
      rows.map(({ key, has_value }) => [key, has_value]),
      names.map((name, at) => [hexOf([name]), [0, 1, 1, 0][at]]),
    )
  })

  test("an explicit changeLog holds for those who have the file open, too", async () => {
    const [rows] = await afterwards(
      (open) =>
        open({}, async (kv) => {
          await kv.set(["a"], 1)
          await open({ changeLog: "values" }, (other) => other.set(["b"], 1))
          await kv.set(["c"], 1)
        }),
      LOG,
    )
    assert.deepEqual(
      rows.map(({ has_value }) => has_value),
      [0, 1, 1],
    )
  })

  test("retention lives in the file; a trimmed number never comes again", async () => {
    const at = (time, work) => async (kv) => {
      setClock(kv, time)
      await work(kv)
      await sweep(kv)
    }
    const [rows, [{ last }]] = await afterwards(
      async (open) => {
        await open(
          { retention: "10m" },
          at(T0, (kv) => kv.set(["old"], 1)),
        )
        await open(
          {},
          at(T0 + 599_000, (kv) => kv.set(["kept"], 1)),
        )
        await open(
          {},
          at(T0 + 601_000, () => {}),
        )
        await open(
          {},
          at(T0 + 2_000_000, () => {}),
        )
        await open({}, (kv) => kv.set(["new"], 1))
      },
      LOG,
      "SELECT max(seq) AS last FROM kv_changes",
    )
    assert.deepEqual(
      rows.map(({ key }) => key),
      [hexOf(["new"])],
    )
    assert.equal(last, 3)
  })

  test("the log is kept for an hour if nothing is said", async () => {
    const [rows] = await afterwards(
      (open) =>
        open({}, async (kv) => {
          setClock(kv, T0)
          await kv.set(["a"], 1)
          setClock(kv, T0 + 1000)
          await kv.set(["b"], 1)
          setClock(kv, T0 + 3_600_500)
          await sweep(kv)
        }),
      LOG,
    )
    assert.deepEqual(
      rows.map(({ key }) => key),
      [hexOf(["b"])],
    )
  })

  test("what has expired is reported as deleted, also by a commit that sets and deletes it", async () => {
    const [log] = await afterwards(
      (open) =>
        open({}, async (kv) => {
          setClock(kv, T0)
          await kv.set(["k"], 1, { expiresIn: 10 })
          setClock(kv, T0 + 10)
          await kv.atomic().set(["k"], 2).delete(["k"]).commit()
          await sweep(kv)
        }),
      LOG,
    )
    assert.equal(log.length, 2, "the log's last word on the key is that it was created")
    assert.notEqual(log[1].op, log[0].op)
  })

  test("a sweep removes what has expired from the disk, and logs its deletion", async () => {
    const [entries, log] = await afterwards(
      (open) =>
        open({}, async (kv) => {
          setClock(kv, T0)
          await kv.set(["gone"], 1, { expiresIn: 10 })
          await kv.set(["there"], 1, { expiresIn: 11 })
          setClock(kv, T0 + 10)
          await sweep(kv)
        }),
      "SELECT hex(key) AS key FROM kv_entries",
      LOG,
    )
    assert.deepEqual(
      entries.map(({ key }) => key),
      [hexOf(["there"])],
    )
    assert.deepEqual(
      log.map(({ key }) => key),
      [["gone"], ["there"], ["gone"]].map(hexOf),
    )
    assert.ok(log[2].versionstamp > log[1].versionstamp)
  })
})
