// One noun names a capability on every floor, so that who knows the API finds its code without asking.
import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { root } from "../support/runtimes.js"
import { read } from "../support/sources/files.js"

/**
 * Where each capability is, from what people import down to the row: files and folders whose name says its
 * noun, in the singular or the plural. `native`: methods of the addon begin with the noun. `table`: where its
 * rows are.
 */
const CAPABILITIES = {
  change: {
    lib: "lib/api/changes/changes.ts",
    native: "changes",
    binding: "src/binding/changes.rs",
    engine: "src/engine/changes",
    store: "src/store/rows/changes.rs",
    suites: "__test__/suites/changes",
    table: "kv_changes",
  },
  watch: {
    lib: "lib/api/changes/watch.ts",
    native: "watch",
    binding: "src/binding/watch.rs",
    engine: "src/engine/changes/watch",
    suites: "__test__/suites/watch",
    process: "__test__/process/watch",
  },
  consumer: {
    lib: "lib/api/changes/consumer.ts",
    native: "consumer",
    binding: "src/binding/consumer.rs",
    engine: "src/engine/changes/consumer.rs",
    store: "src/store/rows/consumer.rs",
    suites: "__test__/suites/changes/consumers.js",
    table: "kv_consumers",
  },
  queue: {
    lib: "lib/api/queue",
    native: "queue",
    binding: "src/binding/queue.rs",
    engine: "src/engine/queue",
    store: "src/store/rows/queue.rs",
    suites: "__test__/suites/queues",
    process: "__test__/process/queues",
    table: "kv_queue",
  },
  lock: {
    lib: "lib/api/lock.ts",
    native: "lock",
    binding: "src/binding/lock.rs",
    engine: "src/engine/lock.rs",
    store: "src/store/rows/lock.rs",
    suites: "__test__/suites/locks",
    process: "__test__/process/locks",
    table: "kv_locks",
  },
  index: {
    lib: "lib/api/query/indexes.ts",
    native: "index",
    binding: "src/binding/index.rs",
    engine: "src/engine/query/indexes.rs",
    store: "src/store/rows/index.rs",
    suites: "__test__/suites/indexes",
    process: "__test__/process/indexes",
    table: "kv_indexes",
  },
  search: {
    lib: "lib/api/query/search.ts",
    native: "search",
    binding: "src/binding/search.rs",
    engine: "src/engine/query/search.rs",
    suites: "__test__/suites/indexes/search.js",
  },
  backup: {
    lib: "lib/api/backup.ts",
    native: "backup",
    binding: "src/binding/backup.rs",
    store: "src/store/backup.rs",
    suites: "__test__/suites/kv/backup.js",
  },
  commit: {
    lib: "lib/api/commit",
    binding: "src/binding/commit.rs",
    engine: "src/engine/commit",
    suites: "__test__/suites/commits",
  },
  filter: {
    lib: "lib/api/query/filter.ts",
    engine: "src/engine/query/filter",
    suites: "__test__/suites/filters",
  },
}

/** A method, as `lib/native/addon.ts` types it. */
const METHODS = /^ {2}(?:readonly )?(\w+)[(:]/gm

const plurals = (noun) => [noun, `${noun}s`, `${noun}es`]

/** What is wrong with a floor of a capability; nothing if it is right. */
function faultsOf(noun, floors, { exists, methods, tables }) {
  return Object.entries(floors).flatMap(([floor, name]) => {
    if (floor === "native")
      return methods.some((method) => method.startsWith(name)) ? [] : [`no method ${name}…`]
    if (floor === "table") return tables.includes(name) ? [] : [`no table ${name}`]
    const last = name
      .split("/")
      .at(-1)
      .replace(/\.\w+$/, "")
    if (!plurals(noun).includes(last)) return [`${name} does not say ${noun}`]
    return exists(name) ? [] : [`no ${name}`]
  })
}

/** The methods of the addon's handle, as `lib/native/addon.ts` types them. */
function nativeMethods() {
  const [, handle] = read(root, "lib/native/addon.ts").match(/interface NativeHandle \{\n(.*?)\n\}/s)
  return [...handle.matchAll(METHODS)].map(([, method]) => method)
}

describe("structure: one noun a capability", () => {
  const tables = read(root, "src/store/sql/schema.rs").match(/\bkv_\w+/g)

  // Seen to fail: the addon called the change log's pages `feedPage`, a claim of messages `work`, a delete
  // `remove`.
  for (const [noun, floors] of Object.entries(CAPABILITIES))
    test(`${noun} is called that on every floor`, () => {
      const tree = { exists: (path) => existsSync(join(root, path)), methods: nativeMethods(), tables }
      assert.deepEqual(faultsOf(noun, floors, tree), [])
    })

  test("the calls of a commit are called as in the API", () => {
    const methods = nativeMethods()
    const calls = ["check", "set", "delete", "append", "patch", "touch", "enqueue"]
    assert.deepEqual(
      calls.filter((call) => !methods.includes(call)),
      [],
    )
  })

  // How it is seen to fail, kept as a test.
  test("another noun is found", () => {
    const tree = { exists: (path) => path !== "b/lock.rs", methods: ["lockTake"], tables: ["kv_locks"] }
    const found = (floors) => faultsOf("lock", floors, tree).length
    assert.equal(found({ lib: "lib/lock.ts", suites: "suites/locks", native: "lock", table: "kv_locks" }), 0)
    assert.equal(found({ binding: "src/binding/leases.rs" }), 1)
    assert.equal(found({ binding: "b/lock.rs" }), 1)
    assert.equal(found({ native: "unlock" }), 1)
    assert.equal(found({ table: "kv_leases" }), 1)
  })
})
