import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import * as exported from "@buntime/keyval"
import { root } from "./support/runtimes.js"
import { readDeclarations } from "./support/sources/declarations.js"

const { Kv, KvError, KvU64 } = exported
const { types, values } = readDeclarations(readFileSync(join(root, "index.d.ts"), "utf8"))
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

function nameOf(key) {
  return typeof key === "symbol" ? `[${key.description.replace("nodejs.", "Symbol.")}]` : key
}

const WELL_KNOWN = [
  Symbol.dispose,
  Symbol.asyncDispose,
  Symbol.asyncIterator,
  Symbol.toPrimitive,
  Symbol.toStringTag,
]

const asyncIterator = Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype)
const LANGUAGE_PROTOTYPES = [Object.prototype, Error.prototype, Object.getPrototypeOf(asyncIterator), null]

/**
 * What a person sees on an object: names, and symbols that the language knows; up to the prototypes of the
 * language.
 */
function membersAtRunTime(object) {
  const names = new Set()
  for (let level = object; !LANGUAGE_PROTOTYPES.includes(level); level = Object.getPrototypeOf(level)) {
    for (const key of Reflect.ownKeys(level)) {
      if (typeof key === "string" ? key !== "constructor" : WELL_KNOWN.includes(key)) names.add(nameOf(key))
    }
  }
  return [...names].sort()
}

/** An object of each declared class and interface that has methods. */
async function instances() {
  const kv = new Kv(":memory:")
  let transaction
  await kv.transaction((tx) => {
    transaction = tx
  })
  return {
    kv,
    objects: {
      Kv: kv,
      KvU64: new KvU64(1n),
      KvError: new KvError("UNAVAILABLE", "gone", { outcome: "unknown", cause: 1 }),
      KvAtomic: kv.atomic(),
      KvTransaction: transaction,
      KvListIterator: kv.list([]),
      KvNowMethods: kv.now(),
      KvListener: kv.listenQueue(() => {}),
      KvSubscription: kv.watch(["a"], () => {}),
      KvWatchIterator: kv.watch(["a"]),
      KvChangesIterator: kv.changes(),
      KvConsumer: kv.consumer("a"),
      KvDeadLetters: kv.dlq,
      KvCollection: kv.collection(["a"]),
      KvSearchIterator: kv.search(["a"], "a"),
      KvLock: await kv.lock("a"),
      KvUuidPlaceholder: kv.uuidv7(),
      KvVersionstampPlaceholder: kv.commitVersionstamp(),
    },
  }
}

// What the language adds to an object of its own accord.
const LANGUAGE = {
  KvError: ["message", "stack", "toString", "line", "column", "originalLine", "originalColumn", "sourceURL"],
  KvListIterator: ["throw", "[Symbol.asyncDispose]"],
}
// Helpers may show a tag though the contract does not ask for it.
const OPTIONAL = ["[Symbol.toStringTag]"]

describe("contract: index.d.ts and the real exports", () => {
  test("the exports are the declared values, and no more", () => {
    assert.deepEqual(
      Object.keys(exported)
        .filter((name) => name !== "default")
        .sort(),
      values,
    )
    assert.equal(exported.version, version)
  })

  test("every object has its declared members, and no more", async () => {
    const { kv, objects } = await instances()
    try {
      for (const [name, object] of Object.entries(objects)) {
        const declared = types.get(name).members
        const real = membersAtRunTime(object).filter((member) => !LANGUAGE[name]?.includes(member))
        assert.deepEqual(
          declared.filter((member) => !real.includes(member)),
          [],
          `${name} lacks declared members`,
        )
        const surplus = real.filter((member) => !declared.includes(member) && !OPTIONAL.includes(member))
        assert.deepEqual(surplus, [], `${name} has undeclared members`)
      }
    } finally {
      await kv.close()
    }
  })

  test("the classes are classes, and an error is one", () => {
    const declared = [...types].filter(([, { kind }]) => kind === "class").map(([name]) => name)
    const real = Object.values(exported).filter((value) => typeof value === "function")
    assert.deepEqual(real.map(({ name }) => name).sort(), declared.sort())
    const cause = new Error("cause")
    const error = new KvError("BUSY", "busy", { cause })
    assert.ok(error instanceof Error)
    assert.deepEqual([error.name, error.code, error.message, error.cause], ["KvError", "BUSY", "busy", cause])
    assert.equal(error.outcome, undefined)
    assert.equal(new KvError("UNAVAILABLE", "gone", { outcome: "unknown" }).outcome, "unknown")
    assert.equal(error.retryable, true)
    assert.equal(new KvError("INVALID_ARGUMENT", "no").retryable, false)
  })
})
