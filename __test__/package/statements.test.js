// What the documents say in prose and in tables, as far as it can be looked up or tried. Their programs have
// tests of their own.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Kv, KvU64 } from "@buntime/keyval"
import { readDeclarations } from "../support/sources/declarations.js"
import { pages, read, rowsOf } from "../support/sources/documents.js"

/** Code within a line. */
const codeOf = (text) =>
  [...text.replaceAll(/^ *```.*?^ *```$/gms, "").matchAll(/`([^`\n]+)`/g)].map(([, code]) => code)

/** Named as what there is not. */
const ABSENT = ["sync"]

describe("statements of the documents", () => {
  // Seen to fail: "A method that this version lacks: `kv.explain is not a function`", which it has.
  test("a method that a page names exists, and one that it says is missing does not", async () => {
    const kv = new Kv(":memory:")
    const wrong = []
    for (const page of pages)
      for (const code of codeOf(read(page)))
        for (const [, name] of code.matchAll(/(?<![\w.])kv\.(\w+)/g)) {
          const isMissing = code.includes(`kv.${name} is not a function`) || ABSENT.includes(name)
          if (name in kv === isMissing) wrong.push(`${page}: ${code}`)
        }
    await kv.close()
    assert.deepEqual(wrong, [])
  })

  test("a type that a page names is exported", () => {
    const declared = read("index.d.ts")
    const { values } = readDeclarations(declared)
    const names = [...declared.matchAll(/^export (?:type|interface|class) (\w+)/gm)].map(([, name]) => name)
    const wrong = pages.flatMap((page) =>
      codeOf(read(page)).filter((code) => /^Kv[A-Z]\w*$/.test(code) && ![...names, ...values].includes(code)),
    )
    assert.deepEqual(wrong, [])
  })

  // Seen to fail: troubleshooting.md printed another message for Alpine, whose binary the package has.
  test("the messages about a missing binary are those of the loader", () => {
    const loader = read("native.cjs").replaceAll(/\$\{[^}]*\}/g, "…")
    const messages = ["docs/troubleshooting.md", "docs/platforms.md"].flatMap((page) =>
      codeOf(read(page)).filter((code) => /binary (for|does)/.test(code) && code.startsWith("@buntime")),
    )
    assert.ok(messages.length >= 4)
    for (const message of messages) {
      const form = message.replace(/for [\w-]+/, "for …").replace(/(It brings: ).*/, "$1…")
      assert.ok(loader.includes(form.replace(/: …$/, ": ")), message)
    }
  })

  test("errors.md prints messages as calls give them", async () => {
    const kv = new Kv(":memory:")
    await kv.set(["f"], 1.5)
    await kv.setMany([1, 2].map((n) => ({ key: ["n", n], value: n })))
    const { cursor } = await kv.paginate(["n"], { limit: 1 })
    class Foo {}
    const cycle = { b: {} }
    cycle.b.c = cycle
    const calls = {
      "key[1]: null is not a key part; give Uint8Array, string, number, bigint or boolean": () =>
        kv.get(["a", null]),
      "key: it is empty; give 1 to 20 parts": () => kv.set([], 1),
      "value.items[0].cb: functions cannot be stored": () => kv.set(["a"], { items: [{ cb() {} }] }),
      "value.x: instances of Foo cannot be stored": () => kv.set(["a"], { x: new Foo() }),
      "value.x: proxies of a Map (give the Map itself) cannot be stored": () =>
        kv.set(["a"], { x: new Proxy(new Map(), {}) }),
      "patch.b.c: a cycle, which leads back to patch, cannot be stored": () => kv.patch(["a"], cycle),
      "patch: it is undefined; give an object with what is to change": () => kv.patch(["a"], undefined),
      "expiresIn: 0 ms; give more than 0": () => kv.set(["a"], 1, { expiresIn: 0 }),
      "options.ttl: there is no such option; it takes expiresIn, expireIn": () =>
        kv.set(["a"], 1, { ttl: 5 }),
      "selector: it is empty; give prefix, start or end ({ prefix: [] } is everything)": () => kv.delete({}),
      "target: it is empty; give a key, or { prefix: [] } to delete everything": () => kv.delete([]),
      "start: it is not under the prefix": () => kv.count({ prefix: ["a"], start: ["b"] }),
      "cursor: it is of a list in the other direction; pass a cursor of the same list unchanged": () =>
        kv.paginate(["n"], { cursor, reverse: true }),
      "key[0]: commitVersionstamp() must be the last part of the key": () =>
        kv.set([kv.commitVersionstamp(), "a"], 1),
      'durability: "fast" is not one of "full", "normal", "off"': () =>
        new Kv(":memory:", { durability: "fast" }),
      "target: it is empty; give a key, or { prefix: [] } to watch everything": () => kv.watch([]),
      "from: it is no versionstamp; give the versionstamp of a batch": () => kv.watch(["a"], { from: "a" }),
      "lockDuration: 50 ms; give 100 to 86400000 ms": () => kv.listenQueue(() => {}, { lockDuration: 50 }),
      "where.age.$eqq: there is no operator $eqq; did you mean $eq?": () =>
        kv.count([], { where: { age: { $eqq: 5 } } }),
      "where.$or: it is empty; give at least one condition": () => kv.count([], { where: { $or: [] } }),
      "key[0]: 1025 UTF-16 code units are over the limit of 1024 UTF-16 code units": () =>
        kv.get(["a".repeat(1025)]),
      "keys: 1001 keys are over the limit of 1000 keys": () =>
        kv.getMany(Array.from({ length: 1001 }, (_, n) => [n])),
      'key ["f"]: the stored value is not a bigint, an integer number or a KvU64': () =>
        kv.atomic().sum(["f"], 1).commit(),
      'key ["f"]: the stored value is not an array': () => kv.atomic().append(["f"], [1]).commit(),
      "options.syncUrl: this version does not support it": () => new Kv(":memory:", { syncUrl: "a" }),
    }
    const printed = read("docs/errors.md")
    const wrong = []
    for (const [message, call] of Object.entries(calls)) {
      const given = await Promise.resolve()
        .then(call)
        .then(
          () => "no error",
          (error) => error.message,
        )
      if (given !== message) wrong.push(`${message} -> ${given}`)
      if (!printed.includes(`\`${message}\``) && !message.startsWith("key ["))
        wrong.push(`not printed: ${message}`)
    }
    await kv.close()
    assert.deepEqual(wrong, [])
  })

  // Seen to fail: filters.md read as if an index gave the newest first.
  test("an index does not change the order of what a filter finds", async () => {
    const kv = new Kv(":memory:")
    await kv.createIndex(["posts"], { on: ["at"] })
    for (const [id, at] of [9, 3, 7, 1].entries()) await kv.set(["posts", id], { at })
    const found = []
    for await (const { key } of kv.list(["posts"], { where: { at: { $gt: 1 } } })) found.push(key[1])
    assert.deepEqual(found, [0, 1, 2])
    assert.equal((await kv.explain(["posts"], { at: { $gt: 1 } })).index?.name, "at")
    await kv.close()
  })

  // Seen to fail: keys.md and patterns.md said it of `[...key, ""]`, before which keys with a Uint8Array lie.
  test("no key lies between a key and the same key with an empty Uint8Array", async () => {
    const kv = new Kv(":memory:")
    const key = ["a", "b"]
    const after = [
      [...key, Uint8Array.of(0)],
      [...key, ""],
      [...key, 0],
      ["a", "ba"],
    ]
    for (const one of [key, ...after]) await kv.set(one, null)
    const found = []
    for await (const entry of kv.list({ prefix: ["a"], start: [...key, new Uint8Array()] }))
      found.push(entry.key)
    assert.deepEqual(found, after)
    await kv.close()
  })

  // Seen to fail: `sum`, `iterator.cursor` and lists with three bounds were "the same", sparse arrays and -0
  // not named.
  test("deno-kv.md says what KeyVal does", async () => {
    const kv = new Kv(":memory:")
    const keysOf = async (list) => {
      const keys = []
      for await (const { key } of list) keys.push(key)
      return keys
    }
    for (const part of [-0, 0, 1, 5]) await kv.set(["a", part], null)
    assert.equal(await kv.count(["a"]), 4, "-0 and 0 are two keys")
    const bounded = { prefix: ["a"], start: ["a", 0], end: ["a", 5] }
    assert.deepEqual(await keysOf(kv.list(bounded)), [
      ["a", 0],
      ["a", 1],
    ])
    assert.equal((await keysOf(kv.list({ start: ["a", 1] }))).length, 2)
    const entries = kv.list(["a"])
    assert.equal(entries.cursor, "")
    await keysOf(entries)
    assert.equal(entries.cursor, "", "nothing is left")

    // biome-ignore lint/suspicious/noSparseArray: that is what it is about
    await kv.set(["sparse"], [1, , 3])
    assert.equal(1 in (await kv.get(["sparse"])).value, false)

    const u64 = (value) => new KvU64(value)
    const sum = async (stored, value) => {
      await kv.delete(["n"])
      if (stored !== undefined) await kv.set(["n"], stored)
      return (
        await kv
          .atomic()
          .mutate({ type: "sum", key: ["n"], value })
          .commit()
      ).results[0]
    }
    assert.equal(await sum(undefined, 1n), 1n)
    assert.equal(await sum(undefined, -1), -1n)
    assert.deepEqual(await sum(undefined, u64(1n)), u64(1n))
    assert.equal(await sum(2, 1n), 3n)
    assert.deepEqual(await sum(u64(2n ** 64n - 1n), 1n), u64(0n))
    await assert.rejects(sum(1.5, 1), { code: "TYPE_MISMATCH" })
    await assert.rejects(sum(1n, u64(1n)), { code: "TYPE_MISMATCH" })
    await assert.rejects(sum(u64(1n), -1n), { code: "INVALID_ARGUMENT" })

    await assert.rejects(async () => await kv.atomic().set(["a"], 1), { code: "INVALID_ARGUMENT" })
    await kv.close()
    await kv.close()
  })

  // A new run of the benchmark changes both, or this fails.
  test("the figures at the top of the README are those of the last run", () => {
    const rows = rowsOf(read("bench/RESULTS.md"))
    const peers = rows.find(([, first]) => first === "KeyVal (Node)")
    const columns = ["KeyVal (Node)", "Deno.openKv (Deno)", "@deno/kv (Node)"].map((name) =>
      peers.indexOf(name),
    )
    const names = {
      "a `get`, awaited one at a time": "get, one at a time",
      "a `set`, 64 issued together": "set, 64 at once",
      "a queue message, from `enqueue` to handled": "enqueue → handled, a message",
    }
    const printed = rowsOf(read("README.md"))
    for (const [label, name] of Object.entries(names)) {
      const measured = rows.find(([first]) => first === name)
      const [, ...figures] = printed.find(([first]) => first === label)
      const wanted = columns.map((at) => Number.parseFloat(measured[at].replaceAll(",", "")))
      for (const [at, text] of figures.entries())
        assert.ok(
          Math.abs(Number.parseFloat(text) / wanted[at] - 1) < 0.02,
          `${label}: ${text}, measured ${wanted[at]}`,
        )
    }
  })

  // Seen to fail: two lines about dead letters and messages stood there twice.
  test("the changelog says nothing twice", () => {
    const lines = read("CHANGELOG.md")
      .split("\n")
      .filter((line) => line.startsWith("- "))
    assert.deepEqual(
      lines.filter((line, at) => lines.indexOf(line) !== at),
      [],
    )
  })
})
