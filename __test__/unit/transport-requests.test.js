// What a `Kv` asks of its transport: data, and all of what it was asked for.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { encodeKey, setClock, useCarrier } from "../../dist/testing.js"

/** A `Kv` on a transport that notes what it is asked for, and has no entries. `own`: members of its own. */
function recordingKv(own = {}) {
  const asked = []
  const missing = (key) => ({ key, value: null, versionstamp: null })
  const transport = {
    closed: false,
    capabilities: {},
    core: { durationMs: () => 10, encodeKey, uuidv7: () => "" },
    get: async (key, consistency) => {
      asked.push({ kind: "get", consistency })
      return missing(key)
    },
    getMany: async (keys, consistency) => {
      asked.push({ kind: "getMany", consistency })
      return keys.map(missing)
    },
    open(request) {
      asked.push(request)
      return { page: () => ({ entries: [], more: false, unsure: false }) }
    },
    write: async (request) => {
      asked.push(request)
      return { ok: true, versionstamp: "", results: [] }
    },
    query: async (request) => {
      asked.push(request)
      return {}
    },
    ...own,
  }
  useCarrier(() => transport)
  try {
    return { kv: new Kv(":memory:"), asked }
  } finally {
    useCarrier(undefined)
  }
}

describe("requests of a Kv to its transport", () => {
  // Seen to fail: where `get` drops the option and always asks for "strong".
  test("each read says how consistent it is to be", async () => {
    const { kv, asked } = recordingKv()
    for (const options of [undefined, {}, { consistency: "strong" }, { consistency: "eventual" }]) {
      await kv.get(["a"], options)
      await kv.get([["a"], ["b"]], options)
      await kv.getMany([["a"]], options)
      await kv.list(["a"], options).next()
      const { consistency = "strong" } = options ?? {}
      const kinds = ["get", "getMany", "getMany", "list"]
      assert.deepEqual(
        asked.splice(0).map((request) => [request.kind, request.consistency]),
        kinds.map((kind) => [kind, consistency]),
      )
    }
  })

  test("pages and the reads of a transaction are strong", async () => {
    const { kv, asked } = recordingKv()
    await kv.paginate(["a"])
    await kv.transaction((tx) => tx.get(["a"]))
    const reads = asked.filter(({ kind }) => kind === "list" || kind === "getMany")
    assert.deepEqual(
      reads.map(({ consistency }) => consistency),
      ["strong", "strong"],
    )
  })

  // Seen to fail: where `info` says `persistent` by itself.
  test("info shows the capabilities of the transport", async () => {
    const limits = { maxValueBytes: 7, maxKeys: 3, persistent: true }
    const { kv } = recordingKv({ capabilities: { ...limits, backend: "file", backup: false } })
    const { backend, capabilities } = await kv.info()
    assert.deepEqual([backend, capabilities], ["file", limits])
  })

  // Seen to fail: where the capability is not looked at.
  test("a backup that the store is not capable of is UNSUPPORTED, and its arguments are checked first", async () => {
    const { kv, asked } = recordingKv({ capabilities: { backup: false } })
    await assert.rejects(kv.backup("/tmp/copy.db"), { code: "UNSUPPORTED", message: /^backup: / })
    await assert.rejects(kv.backup(5), { code: "INVALID_ARGUMENT" })
    await assert.rejects(kv.backup("a", { overwrite: 1 }), { code: "INVALID_ARGUMENT" })
    assert.deepEqual(asked, [])
  })

  // Seen to fail: where it says `not a Kv` of a transport without them.
  test("the controls of tests are those of the transport, or it says that it has none", () => {
    const noted = []
    const { kv } = recordingKv({ testControls: { freezeClock: (atMs) => noted.push(atMs) } })
    setClock(kv, 5)
    assert.deepEqual(noted, [5])
    assert.throws(() => setClock(recordingKv().kv, 5), { name: "TypeError", message: /no testControls/ })
    assert.throws(() => setClock({}, 5), { name: "TypeError", message: "not a Kv" })
  })
})
