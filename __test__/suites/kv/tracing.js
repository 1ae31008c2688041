import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { trace } from "@opentelemetry/api"
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { refused } from "../../support/assert.js"
import { useStore } from "../../support/store.js"

export function tracing(target) {
  const store = useStore(target)

  function recording() {
    const exporter = new InMemorySpanExporter()
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
    return { provider, spans: () => exporter.getFinishedSpans() }
  }

  function traced() {
    const { provider, spans } = recording()
    return { kv: store.another({ tracer: provider.getTracer("test") }), spans }
  }

  describe("tracing with OpenTelemetry", () => {
    test("each call has a span, which ends with it", async () => {
      const { kv, spans } = traced()
      await kv.set(["a"], { secret: "hunter2" })
      assert.equal((await kv.get(["a"])).value.secret, "hunter2")
      await kv.transaction((tx) => tx.set(["b"], 1))
      await kv.enqueue("job")
      assert.deepEqual(
        spans().map(({ name }) => name),
        ["keyval.set", "keyval.get", "keyval.transaction", "keyval.enqueue"],
      )
      const [set] = spans()
      assert.deepEqual(set.attributes, { "db.system.name": "keyval", "db.operation.name": "set" })
      assert.equal(set.kind, 2)
      assert.ok(
        !JSON.stringify(spans().map(({ attributes, status }) => [attributes, status])).includes("hunter2"),
      )
    })

    test("a provider that the app has registered is found, and needs no option", async () => {
      const { provider, spans } = recording()
      const before = store.another()
      trace.setGlobalTracerProvider(provider)
      try {
        const [found, off] = [store.another(), store.another({ tracer: false })]
        await found.atomic().set(["a"], 1).commit()
        await off.set(["a"], 2)
        await before.set(["a"], 3)
        assert.deepEqual(
          spans().map(({ name, instrumentationScope }) => [name, instrumentationScope.name]),
          [["keyval.commit", "@buntime/keyval"]],
        )
      } finally {
        trace.disable()
      }
      const { ok } = await store.another().set(["a"], 4)
      assert.ok(ok)
      assert.equal(spans().length, 1)
    })

    test("a call that fails says so, and fails as before", async () => {
      const { kv, spans } = traced()
      await refused(() => kv.set([], 1), "INVALID_ARGUMENT", /key/)
      const [{ status, attributes }] = spans()
      assert.equal(status.code, 2)
      assert.equal(status.message, "INVALID_ARGUMENT")
      assert.equal(attributes["error.type"], "INVALID_ARGUMENT")
    })

    // Seen to fail: the message of the error, with the key, was the message of the status.
    test("nothing of keys and values is in a span of a call that fails", async () => {
      const { kv, spans } = traced()
      const key = ["users", "hunter2"]
      await kv.set(key, "text")
      await refused(() => kv.atomic().sum(key, 1n).commit(), "TYPE_MISMATCH", /hunter2/)
      const own = new RangeError("hunter2")
      await assert.rejects(
        kv.transaction(() => Promise.reject(own)),
        own,
      )
      const reported = spans().map(({ name, attributes, status, events }) => ({
        name,
        attributes,
        status,
        events,
      }))
      assert.equal(reported[2].status.message, "RangeError")
      assert.ok(!JSON.stringify(reported).includes("hunter2"), JSON.stringify(reported))
    })

    test("calls that give several results are unchanged; so is what runs on", async () => {
      const { kv } = traced()
      await kv.setMany([1, 2].map((n) => ({ key: ["n", n], value: n })))
      assert.equal(
        (
          await kv.get([
            ["n", 1],
            ["n", 2],
          ])
        ).length,
        2,
      )
      let count = 0
      for await (const _ of kv.list(["n"])) count++
      assert.equal(count, 2)
      assert.equal((await kv.atomic().sum(["s"], 1n).commit()).ok, true)
    })

    test("what is no tracer is refused", async () => {
      for (const tracer of [null, true, {}, "tracer", 5, { startSpan: 1 }])
        await refused(async () => store.another({ tracer }), "INVALID_ARGUMENT", /tracer/)
    })
  })
}
