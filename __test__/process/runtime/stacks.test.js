// The stack of an error leads to the line that made the call, in both runtimes.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { nodeOnly, run, runtimes } from "../../support/runtimes.js"

describe("stacks of errors", nodeOnly, () => {
  // Seen to fail: what Rust refused later (a key of get, CONFLICT, TYPE_MISMATCH) named files of the package
  // alone; so did an atomic without commit, a search without an index, and a transaction and a collection's
  // set that had waited for something before they failed. So did a feed and a consumer without a change log,
  // and unawaited reads of a consumer. Of what ends a process, the pattern was met by a file of the package,
  // and Bun showed no frame of the module itself. Beside many reads a write that nobody awaited led nowhere,
  // and beside many writes one that was awaited to one of the others.
  for (const runtime of runtimes)
    for (const busy of ["", "busy"])
      test(`${runtime}: ${busy || "few calls"}`, async () => {
        const { code, stdout, stderr } = await run(
          runtime,
          "runtime/stacks.js",
          [":memory:", busy].filter(Boolean),
        )
        assert.deepEqual(JSON.parse(stdout.trim().split("\n").at(-1)), [])
        assert.equal(code, 1, "the unawaited call ends the process")
        if (!busy) assert.match(stderr, /children\/runtime\/stacks\.js:\d+/)
        assert.match(stderr, /CONFLICT|unique/)
      })
})
