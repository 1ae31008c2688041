import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { nodeOnly, runOk, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

/**
 * Seen to fail: open the connections for lists by the path as it was given; a list then fails on a new, empty
 * file.
 */
describe("process: connections that are opened later", nodeOnly, () => {
  for (const runtime of runtimes) {
    test(`read the file that was opened, and no other, in ${runtime}`, async () => {
      const [folder, other] = [tempFolder(), tempFolder()]
      try {
        const found = await runOk(runtime, "opening/file-moved.js", [folder.path, other.path])
        assert.deepEqual(found.listed, [["a"]])
        assert.equal(found.count, 1)
        assert.deepEqual(found.created, [])
        assert.equal(found.error.code, "UNAVAILABLE")
        assert.match(found.error.message, /moved, deleted or replaced/)
      } finally {
        folder.dispose()
        other.dispose()
      }
    })
  }
})

/** What is in the files afterwards: at the path, and at the name that one of them got. */
const LEFT = {
  renamed: { moved: "own" },
  deleted: {},
  replaced: { there: "of another file" },
  "without its log": { there: "own" },
  "without its index": { there: "own" },
}

/** Who notices it. */
const NOTICED = {
  // Seen to fail: reads went on answering; and, with a folder that counts as unchanged for ever, it was not
  // noticed.
  "the next write, where nothing had happened for long": ["set", ["set"]],
  // Seen to fail: neither the watch nor the listener reported anything in 2 minutes.
  "a watch and a listener of a process that writes nothing": ["watch", ["listener", "watch"]],
  // Seen to fail: the get went on answering; and, where only writes and closing empty the log, it stayed at
  // the path.
  "a get of a process that only reads": ["get", []],
}

describe("process: a file that is moved, deleted or replaced while it is open", nodeOnly, () => {
  for (const runtime of runtimes) {
    for (const [name, [who, others]] of Object.entries(NOTICED)) {
      test(`is noticed by ${name}, and refused by every read ten seconds later, in ${runtime}`, async () => {
        const folder = tempFolder()
        try {
          const { reads, ways } = await runOk(runtime, "opening/file-moved-later.js", [folder.path, who])
          assert.equal(ways.length, Object.keys(LEFT).length)
          for (const { way, said, values, made, entries } of ways) {
            for (const of of [...reads, ...others]) {
              assert.equal(said[of]?.code, "UNAVAILABLE", `${way}: ${of}`)
              assert.match(
                said[of].message,
                /app\.db: the file was moved, deleted or replaced/,
                `${way}: ${of}`,
              )
            }
            for (const value of values) assert.equal(value, "own", way)
            // Seen to fail: opening with other settings made, or wrote, a log of another file.
            assert.deepEqual(made, [], way)
            assert.deepEqual(entries, LEFT[way], way)
          }
        } finally {
          folder.dispose()
        }
      })
    }
  }
})
