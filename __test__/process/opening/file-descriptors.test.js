import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { describe, test } from "node:test"
import { commandOf, nodeOnly, root, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const PROGRAM = join(root, "__test__/process/children/opening/descriptors.js")
const WATCHER = join(root, "__test__/process/children/opening/descriptors-watch.js")

/**
 * Law 8 without file descriptors: the error says what is missing, what is open goes on, and all is well when
 * there are some again. Seen to fail: say what SQLite says ("the file cannot be opened; check the path and
 * its permissions").
 */
describe("process: out of file descriptors", { ...nodeOnly, skip: process.platform !== "linux" }, () => {
  for (const runtime of runtimes)
    test(runtime, { timeout: 600_000 }, () => {
      const folder = tempFolder()
      try {
        const shell = ["-c", 'ulimit -n 120; exec "$@"', "sh", commandOf(runtime), PROGRAM, folder.path]
        const { status, stdout, stderr } = spawnSync("sh", shell, { cwd: root, encoding: "utf8" })
        assert.equal(status, 0, stderr)
        const { refused, calls, counts, again } = JSON.parse(stdout.trim().split("\n").at(-1))
        for (const { code, retryable, message } of [refused, ...calls]) {
          assert.equal(code, "UNAVAILABLE", message)
          assert.equal(retryable, true)
          assert.match(message, /\.db: too many open files: .*close what is not used.*ulimit -n/)
        }
        assert.ok(calls.length > 0, "no call met the lack of them")
        assert.deepEqual(
          new Set(counts),
          new Set([2]),
          "what was open lost a write, or does not answer again",
        )
        assert.equal(again, 1)
      } finally {
        folder.dispose()
      }
    })

  // Seen to fail: the watch received nothing until there were descriptors again.
  for (const runtime of runtimes)
    test(`${runtime}: a commit of another process is reported`, { timeout: 600_000 }, () => {
      const folder = tempFolder()
      try {
        const shell = ["-c", 'ulimit -n 120; exec "$@"', "sh", commandOf(runtime), WATCHER]
        const { status, stdout, stderr } = spawnSync("sh", [...shell, join(folder.path, "store.db")], {
          cwd: root,
          encoding: "utf8",
          timeout: 300_000,
        })
        assert.equal(status, 0, stderr)
        assert.deepEqual(JSON.parse(stdout.trim().split("\n").at(-1)).slice(-2), ["one", "two"])
      } finally {
        folder.dispose()
      }
    })
})
