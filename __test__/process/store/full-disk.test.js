import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { commandOf, nodeOnly, root, runtimes, sql } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const ROOM_BYTES = 2 * 1024 * 1024
const SHELL = `trap '' XFSZ; ulimit -f ${ROOM_BYTES / 512}; exec "$@"`

/**
 * Runs `children/store/fill-disk.js` where no file may grow over `ROOM_BYTES`: a full disk that needs no
 * device of its own.
 */
async function fill(runtime, file) {
  const program = join(root, "__test__/process/children/store/fill-disk.js")
  const child = spawn("sh", ["-c", SHELL, "sh", commandOf(runtime), program, file], { cwd: root })
  const said = { stdout: "", stderr: "" }
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (text) => {
      said[name] += text
    })
  }
  const [code, signal] = await new Promise((resolve) => child.on("close", (...end) => resolve(end)))
  assert.deepEqual([code, signal], [0, null], said.stderr)
  return JSON.parse(said.stdout)
}

async function whole(file, acknowledged) {
  const kv = new Kv(file)
  for (const at of acknowledged) assert.equal((await kv.get(["b", at])).value, at, `lost: ${at}`)
  const counts = [await kv.count(["a"]), await kv.count(["b"]), Number((await kv.get(["count"])).value)]
  await kv.set(["after"], "writable again")
  await kv.close()
  assert.equal(new Set(counts).size, 1, `half a commit: ${counts}`)
  return counts[0]
}

/** Laws 1, 2 and 8 on a full disk. Seen to fail: answer a group's writes before its COMMIT has returned. */
describe(
  "process: a full disk",
  process.platform === "linux" ? nodeOnly : { skip: "ulimit -f is of Linux" },
  () => {
    for (const runtime of runtimes) {
      test(`${runtime}: writes are refused, what was acknowledged stays, and room heals it`, {
        timeout: 600_000,
      }, async () => {
        const folder = tempFolder()
        const file = join(folder.path, "store.db")
        try {
          const { acknowledged, readable, refusals } = await fill(runtime, file)
          assert.ok(acknowledged.length > 0 && refusals.length > 0, `${acknowledged.length} written`)
          assert.deepEqual(readable, acknowledged)
          for (const { code } of refusals) assert.equal(code, "UNAVAILABLE")
          const unknown = refusals.filter((refusal) => refusal.unknown === "unknown").length
          const count = await whole(file, acknowledged)
          assert.ok(
            count <= acknowledged.length + unknown,
            "a commit that was refused for certain was applied",
          )
          assert.deepEqual(await sql(file, "PRAGMA integrity_check"), [[{ integrity_check: "ok" }]])
        } finally {
          folder.dispose()
        }
      })
    }
  },
)
