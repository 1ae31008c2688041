// Fake timers of test runners, which never fire by themselves, hold up no call.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { nodeOnly, root, run, runOk, runtimes } from "../../support/runtimes.js"

describe("fake timers", nodeOnly, () => {
  // Seen to fail: a list of more than 512 entries, a message, a retry and `close` hung.
  for (const runtime of runtimes)
    for (const when of ["after", "before"])
      test(`${runtime}: fakes that come ${when} the import`, async () => {
        assert.equal(await runOk(runtime, "runtime/fake-timers.js", [when]), 9)
      })

  // Seen to fail: without the second timer of `after` the transaction was never tried again.
  test("bun test: jest.useFakeTimers", async () => {
    const flags = ["test", "--timeout", "60000"]
    const path = `${root}/__test__/process/children/runtime/fake-timers-of-bun.js`
    const { code, stderr } = await run("bun", path, [], { flags })
    assert.equal(code, 0, stderr)
  })
})
