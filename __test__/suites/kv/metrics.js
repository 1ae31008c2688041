import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { version } from "@buntime/keyval"
import { collect, refused } from "../../support/assert.js"
import { useStore } from "../../support/store.js"

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function metrics(target) {
  const store = useStore(target)

  async function work(kv) {
    await kv.set(["a"], 1)
    await kv.setMany([{ key: ["b", 1], value: "x" }])
    await kv.getMany([["a"], ["b", 1], ["c"]])
    await collect(kv.list({ prefix: [] }))
    await kv.patch(["d"], { e: 1 })
    await kv.touch(["a"], { expiresIn: "1h" })
    await kv.enqueue("job")
    await kv.count(["b"])
    await refused(() => collect(kv.search(["b"], "x")), "INVALID_ARGUMENT")
    await kv.delete(["b"])
    await refused(() => kv.atomic().append(["a"], [1]).commit(), "TYPE_MISMATCH")
  }

  describe("metrics", () => {
    test("count operations by kind, and failures", async () => {
      await work(store.kv)
      const { operations, queue, storage } = await store.kv.metrics()
      const counts = Object.fromEntries(Object.entries(operations).map(([name, { count }]) => [name, count]))
      const { get, set, list, count, patch, touch, enqueue, atomic } = counts
      assert.deepEqual(
        { get, list, count, patch, touch, enqueue, atomic },
        { get: 3, list: 1, count: 1, patch: 1, touch: 1, enqueue: 1, atomic: 1 },
      )
      assert.equal(set, 2)
      assert.equal(counts.delete, 1)
      assert.deepEqual([counts.search, operations.search.errors], [1, 1])
      assert.equal(operations.atomic.errors, 1)
      assert.equal(operations.set.errors, 0)
      for (const { avgLatencyMs } of Object.values(operations))
        assert.ok(avgLatencyMs > 0 && avgLatencyMs < 10_000)
      assert.deepEqual(queue, { pending: 1, processing: 0, dlq: 0, total: 1 })
      assert.equal(storage.entries, 2)
      assert.ok(storage.sizeBytes >= 4096)
    })

    test("an operation that never happened is absent", async () => {
      assert.deepEqual((await store.kv.metrics()).operations, {})
    })

    test("each Kv counts its own", { skip: !target.shared }, async () => {
      const other = store.another()
      await store.kv.set(["a"], 1)
      assert.deepEqual((await other.metrics()).operations, {})
      assert.equal((await other.metrics()).storage.entries, 1)
    })

    test("as text for Prometheus: every line is a comment or a sample, histograms add up", async () => {
      await work(store.kv)
      const text = await store.kv.metrics("prometheus")
      const samples = new Map()
      for (const line of text.trimEnd().split("\n")) {
        if (/^# (HELP|TYPE) keyval_[a-z_]+ \S/.test(line)) continue
        const [, name, labels, value] = /^(keyval_[a-z_]+)(\{[^}]*\})? (\S+)$/.exec(line) ?? assert.fail(line)
        assert.ok(Number.isFinite(Number(value)), line)
        samples.set(name + (labels ?? ""), Number(value))
      }
      assert.equal(samples.get('keyval_operations_total{operation="get"}'), 3)
      assert.equal(samples.get('keyval_operation_errors_total{operation="atomic"}'), 1)
      assert.equal(samples.get('keyval_queue_messages{state="pending"}'), 1)
      assert.equal(samples.get("keyval_storage_entries"), 2)
      const buckets = [...samples].filter(([name]) => name.includes('_bucket{operation="get"'))
      const counts = buckets.map(([, count]) => count)
      assert.deepEqual(
        counts,
        counts.toSorted((a, b) => a - b),
      )
      assert.equal(counts.at(-1), 3)
      assert.equal(samples.get('keyval_operation_duration_seconds_count{operation="get"}'), 3)
      assert.ok(samples.get('keyval_operation_duration_seconds_sum{operation="get"}') > 0)
    })

    test("another format is refused", async () => {
      for (const format of ["xml", null, 5, {}])
        await refused(() => store.kv.metrics(format), "INVALID_ARGUMENT", /format/)
    })
  })

  describe("info", () => {
    test("describes the store", async () => {
      const info = await store.kv.info()
      assert.equal(info.version, version)
      assert.equal(info.backend, target.persistent ? "file" : "memory")
      assert.equal(info.location, store.url)
      assert.match(info.databaseId, UUID)
      assert.match(info.sqliteVersion, /^3\.\d+/)
      assert.equal(info.schemaVersion, 2)
      assert.equal(info.changeLog, "keys")
      assert.equal(info.retentionMs, 3_600_000)
      assert.deepEqual(info.capabilities, {
        maxValueBytes: target.maxValueBytes,
        maxKeys: 1000,
        persistent: target.persistent,
      })
    })

    test("after close: CLOSED", async () => {
      await store.kv.close()
      await refused(() => store.kv.info(), "CLOSED")
      await refused(() => store.kv.metrics(), "CLOSED")
    })
  })
}
