// The classes people hold, on a transport whose requests and answers are text, late and out of order: nothing
// live crosses the seam, nothing counts on an answer at once or on the store's exact time. The suites of what
// has steps, leases and notices; the codec and filters are the same on any transport, and `kv.now()` wants
// the exact time.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { KvU64 } from "@buntime/keyval"
import { runSuites } from "./suites/index.js"
import { targets } from "./support/targets.js"
import { answerText, fromText, NoData, requestText } from "./support/transport/text.js"
import { TextTransport } from "./support/transport/text-transport.js"

runSuites(targets.text, [
  "read",
  "read options",
  "children",
  "sync reads",
  "write",
  "values that hold themselves",
  "backup",
  "atomic",
  "transaction",
  "transaction, retries",
  "search, pages",
  "watch",
  "watch, lifecycle",
  "watch, expiry",
  "watch, resumed",
  "changes",
  "changes, retention",
  "consumers",
  "consumers, loops",
  "queues",
  "queues, lifecycle",
  "queues, retries",
  "queues at random",
  "dead letters",
  "locks",
  "locks and consumers against models",
  "every argument of every call",
  "metrics",
  "lifecycle",
  "signals",
  "wakeups",
  "a clock that steps",
])

describe("text: what crosses", () => {
  /** Requests that hold something live where nothing looks at it. */
  const live = {
    function: () => ({ kind: "storeInfo", onProgress() {} }),
    class: () => ({ kind: "storeInfo", since: new Date(0) }),
    counter: () => ({ kind: "storeInfo", limits: [new KvU64(1n)] }),
    symbol: () => ({ kind: "storeInfo", by: Symbol("s") }),
  }

  for (const [name, request] of Object.entries(live)) {
    test(`a request with something live fails: ${name}`, async () => {
      const transport = new TextTransport({ url: "file::memory:", urlName: "url" }, 1)
      assert.throws(() => requestText(request()), NoData)
      await assert.rejects(async () => transport.query(request()), NoData)
      await transport.close()
    })
  }

  test("data comes back as it was", () => {
    const data = {
      a: [undefined, null, -0, NaN, Infinity, 2n ** 70n],
      b: new Uint8Array([1, 2]),
      $: { $: "$" },
    }
    assert.deepEqual(fromText(requestText(data)), data)
    const answer = { entries: [{ key: ["a"], value: new Map([[1, new Date(5)]]) }], results: [new KvU64(3n)] }
    assert.deepEqual(fromText(answerText(answer)), answer)
  })
})
