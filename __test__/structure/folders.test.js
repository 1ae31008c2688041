// No folder of sources is a long shelf: what is looked for is found by the names of folders.
import assert from "node:assert/strict"
import { join, posix } from "node:path"
import { describe, test } from "node:test"
import { root } from "../support/runtimes.js"
import { filesBelow } from "../support/sources/files.js"

const MOST = 15
const FOLDERS = ["src", "lib", "tests", "__test__", "bench", "fuzz", "scripts"]
const CODE = /\.(rs|ts|mts|cts|js|mjs|cjs|c)$/
/** Installed or compiled. */
const NOT_OURS = /(^|\/)(node_modules|target|corpus|artifacts)\//

/** Folders with more code files at one level than that, as `folder: number`. */
function longShelves(files) {
  const counts = new Map()
  for (const file of files) counts.set(posix.dirname(file), (counts.get(posix.dirname(file)) ?? 0) + 1)
  return [...counts].filter(([, count]) => count > MOST).map(([folder, count]) => `${folder}: ${count}`)
}

describe("structure: folders", () => {
  // Seen to fail: __test__/suites had 58 files, __test__/process 36, the benchmark 22 and tests/ 19.
  test(`no folder has more than ${MOST} files of code at one level`, () => {
    const files = FOLDERS.flatMap((folder) =>
      filesBelow(join(root, folder), "").map((file) => `${folder}/${file}`),
    ).filter((file) => CODE.test(file) && !NOT_OURS.test(file))
    assert.ok(files.length > 400)
    assert.deepEqual(longShelves(files), [])
  })

  test("a long shelf is found", () => {
    const shelf = Array.from({ length: MOST + 1 }, (_, at) => `lib/api/${at}.ts`)
    assert.deepEqual(longShelves(shelf), [`lib/api: ${MOST + 1}`])
    assert.deepEqual(longShelves([...shelf.slice(1), "lib/api/queue/a.ts"]), [])
  })
})
