// Who may import whom in `lib/`.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { typescriptArrows, typescriptSources } from "../support/sources/typescript.js"

/** What the files of a room import besides their own room; a file at the top is a room by itself. */
const MAY_IMPORT = {
  shared: [],
  value: ["shared"],
  transport: ["shared", "value"],
  wire: ["shared", "value", "transport"],
  notices: ["shared", "transport", "wire"],
  native: ["shared", "value", "transport", "wire", "notices"],
  open: ["shared", "transport", "native"],
  api: ["shared", "value", "transport"],
  index: ["shared", "api"],
  testing: ["shared", "value", "transport", "api", "native", "open", "wire"],
  internals: ["shared", "value", "api", "native", "open", "wire"],
}
/** What one file of a room may import more. */
const EXCEPTIONS = { "api/kv.ts": ["open"] }

const roomOf = (file) => file.split("/")[0].replace(/\.m?ts$/, "")

/** Imports that the table does not have, as text. */
function forbidden(sources) {
  const wrong = []
  for (const [file, targets] of typescriptArrows(sources)) {
    const allowed = [roomOf(file), ...(MAY_IMPORT[roomOf(file)] ?? []), ...(EXCEPTIONS[file] ?? [])]
    for (const target of targets)
      if (!allowed.includes(roomOf(target))) wrong.push(`lib/${file} imports lib/${target}`)
  }
  return wrong
}

describe("structure: who may import whom, in lib/", () => {
  const sources = typescriptSources()

  test("a room imports what is below it alone; people's classes know the transport, not what carries it", () => {
    assert.ok(sources.size > 50)
    assert.deepEqual([...new Set([...sources.keys()].map(roomOf))].sort(), Object.keys(MAY_IMPORT).sort())
    assert.deepEqual(forbidden(sources), [])
  })

  // How it is seen to fail, kept as a test.
  test("what they refuse is found", () => {
    const of = (files) => new Map(Object.entries(files))
    const wrong = (file, source) => forbidden(of({ [file]: source })).length
    assert.equal(wrong("api/lock.ts", 'import type { Bridge } from "../native/bridge.js"'), 1)
    assert.equal(wrong("api/commit/atomic.ts", 'import {\n  a,\n} from "../../wire/codes.js"'), 1)
    assert.equal(wrong("api/lock.ts", 'import { openTransport } from "../open.js"'), 1)
    assert.equal(wrong("api/kv.ts", 'import { openTransport } from "../open.js"'), 0)
    assert.equal(wrong("shared/keys.ts", 'import { isList } from "../value/tags.js"'), 1)
    assert.equal(wrong("native/bridge.ts", 'type A = import("../api/kv.js").Kv'), 1)
    assert.equal(wrong("transport.ts", 'import type { Page } from "./wire/page.js"'), 1)
    assert.equal(wrong("wire/page.ts", 'export { a } from "../native/addon.js"'), 1)
    assert.equal(wrong("api/kv.ts", 'import type { Kv } from "../../index.js"'), 0)
  })
})
