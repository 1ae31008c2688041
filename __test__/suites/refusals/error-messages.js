import assert from "node:assert/strict"
import { test } from "node:test"
import { Kv, KvError } from "@buntime/keyval"
import { useStore } from "../../support/store.js"

const LONG = "x".repeat(1_000_000)
const NAMED = { [LONG]: 1 }
const SYMBOL = Symbol(LONG)
const nested = (depth) => (depth === 0 ? {} : { ["n".repeat(1000)]: nested(depth - 1) })
const refusing = (issue) => ({
  "~standard": { version: 1, vendor: "test", validate: () => ({ issues: [issue, issue, issue, issue] }) },
})

/** Calls that are refused, each for one long text. */
const CALLS = {
  "the name of an option": (kv) => kv.get(["a"], NAMED),
  "the name of an option of Kv": () => new Kv(":memory:", NAMED),
  "a member of a selector": (kv) => kv.list(NAMED),
  "a member of a mutation": (kv) => kv.atomic().mutate({ type: "set", key: ["a"], value: 1, ...NAMED }),
  "a member of an entry": (kv) => kv.setMany([{ key: ["a"], value: 1, ...NAMED }]),
  "a path to open": () => new Kv(`/${LONG}`),
  "a URL with parameters": () => new Kv(`file:${LONG}?mode=ro`),
  "a URL of a host": () => new Kv(`file://${LONG}`),
  "a scheme": () => new Kv(`${LONG}://host`),
  "a server": () => new Kv(`libsql://${LONG}`),
  durability: () => new Kv(":memory:", { durability: LONG }),
  changeLog: () => new Kv(":memory:", { changeLog: LONG }),
  retention: () => new Kv(":memory:", { retention: LONG }),
  "a time to live": (kv) => kv.set(["a"], 1, { expiresIn: LONG }),
  "a wait": (kv) => kv.enqueue(1, { backoffSchedule: [LONG] }),
  "a lease": (kv) => kv.consumer("a", { lease: LONG }),
  "a field": (kv) => kv.count([], { where: { [LONG]: undefined } }),
  "a field's operand": (kv) => kv.count([], { where: { [LONG]: { $gt: true } } }),
  "fields within one another": (kv) => kv.count([], { where: nested(90) }),
  "a field with a value": (kv) => kv.count([], { where: { [LONG]: () => 1 } }),
  "no path": (kv) => kv.count([], { where: { [`${LONG}[`]: 1 } }),
  "an operator": (kv) => kv.count([], { where: { a: { [`$${LONG}`]: 1 } } }),
  "a symbol": (kv) => kv.count([], { where: { [SYMBOL]: 1 } }),
  "a field of an index": (kv) => kv.createIndex(["a"], { on: [`${LONG}"`] }),
  tokenize: (kv) => kv.createIndex(["a"], { fields: ["a"], tokenize: LONG }),
  "the path of a backup": (kv) => kv.backup(`/${LONG}`),
  "a schema's message": (kv) => kv.collection(["a"], refusing({ message: LONG })).set(1, 1),
  "a schema's path": (kv) =>
    kv.collection(["a"], refusing({ message: "no", path: [LONG, SYMBOL] })).set(1, 1),
}

async function refusalOf(call) {
  try {
    await call()
  } catch (error) {
    return error
  }
}

/** What messages show of arguments. */
export function errorMessages(target) {
  const store = useStore(target, { per: "suite" })

  for (const [name, call] of Object.entries(CALLS)) {
    // Seen to fail: most were in their messages from the first to the last letter; an operator of a megabyte
    // took 5 s.
    test(`a message is short, however long is ${name}`, { timeout: 10_000 }, async () => {
      const begun = performance.now()
      const error = await refusalOf(() => call(store.kv))
      assert.ok(error instanceof KvError, String(error))
      assert.ok(error.message.length < 1500, `${error.message.length} letters`)
      assert.ok(performance.now() - begun < 2000)
    })
  }

  // Seen to fail: a URL was shown with its parameters and its user.
  for (const url of ["file:a.db?authToken=hidden", "file:///a.db?authToken=hidden", "file://u:hidden@h/a.db"])
    test(`a message holds no secret of ${url}`, async () => {
      for (const call of [() => new Kv(url), () => store.kv.backup(url)]) {
        const { code, message } = await refusalOf(call)
        assert.equal(code, "INVALID_ARGUMENT")
        assert.doesNotMatch(message, /hidden/)
      }
    })
}
