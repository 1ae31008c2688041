import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { KvU64 } from "@buntime/keyval"
import { refused } from "../../support/assert.js"
import { found, foundSorted, orphans } from "../../support/full-text.js"
import { Random } from "../../support/random.js"
import { T0, useStore } from "../../support/store.js"
import { tempFolder } from "../../support/targets.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const STEPS = 400
const QUERIES = 400
const WORDS = ["apple", "pear", "plum", "fig", "lemon", "grape"]

const old = { text: "apple" }
const fresh = { text: "pear" }

/** Every way to write `["t", "k"]`, which held `old`, so that it holds `fresh`. */
const WRITERS = {
  set: (kv) => kv.set(["t", "k"], fresh),
  "sets at once": (kv) => Promise.all([kv.set(["t", "k"], { text: "fig" }), kv.set(["t", "k"], fresh)]),
  atomic: (kv) => kv.atomic().set(["t", "k"], fresh).commit(),
  "atomic, twice": (kv) =>
    kv.atomic().delete(["t", "k"]).set(["t", "k"], { text: "fig" }).set(["t", "k"], fresh).commit(),
  transaction: (kv) => kv.transaction((tx) => void tx.set(["t", "k"], fresh)),
  setMany: (kv) => kv.setMany([{ key: ["t", "k"], value: fresh }]),
  patch: (kv) => kv.patch(["t", "k"], fresh),
  "atomic patch": (kv) => kv.atomic().patch(["t", "k"], fresh).commit(),
}

/** Every way to take `["t", "k"]` away. */
const REMOVERS = {
  "a key": (kv) => kv.delete(["t", "k"], { exact: true }),
  "a prefix": (kv) => kv.delete(["t"]),
  "a list": (kv) => kv.delete([["t", "k"], ["u"]]),
  "a selector": (kv) => kv.delete({ prefix: ["t"], start: ["t", "j"] }),
  everything: (kv) => kv.delete({ prefix: [] }),
  "a filter": (kv) => kv.delete({ prefix: ["t"] }, { where: { text: "apple" } }),
  atomic: (kv) => kv.atomic().delete(["t", "k"]).commit(),
  "an atomic selector": (kv) =>
    kv
      .atomic()
      .delete({ prefix: ["t"] })
      .commit(),
  transaction: (kv) => kv.transaction((tx) => void tx.delete(["t", "k"])),
}

/** Values without words, of every encoding. */
const OTHERS = {
  bytes: Uint8Array.of(0, 1, 255),
  "bytes that look like JSON": new TextEncoder().encode('{"text":"fig"}'),
  "a KvU64": new KvU64(5n),
  "a bigint": 5n,
  null: null,
  "tagged JSON": { text: new Date(0) },
}

export function searchMaintenance(target) {
  const store = useStore(target)

  async function begin(kv = store.kv) {
    await kv.createIndex(["t"], { fields: ["text", "list"] })
    await kv.set(["t", "k"], old)
  }

  async function finds(expected) {
    const [word, keys] = expected
    assert.deepEqual(await foundSorted(store.kv, ["t"], word), keys, word)
  }

  async function noOrphans() {
    if (target.persistent) assert.deepEqual(await orphans(store.url), [])
  }

  for (const [name, write] of Object.entries(WRITERS))
    test(`kept by ${name}, new and over another`, async () => {
      await begin()
      await write(store.kv)
      await finds(["pear", ["k"]])
      for (const word of ["apple", "fig"]) await finds([word, []])
      await store.kv.delete(["t"])
      await write(store.kv)
      await finds(["pear", ["k"]])
      await noOrphans()
    })

  for (const [name, remove] of Object.entries(REMOVERS))
    test(`a delete of ${name} leaves no words`, async () => {
      await begin()
      await remove(store.kv)
      await finds(["apple", []])
      // The next entry may get the same row.
      await store.kv.set(["t", "next"], fresh)
      await finds(["apple", []])
      await finds(["pear", ["next"]])
      await noOrphans()
    })

  for (const [name, other] of Object.entries(OTHERS))
    test(`kept by an overwriting with ${name}, and back`, async () => {
      await begin()
      await store.kv.set(["t", "k"], other)
      for (const word of ["apple", "fig"]) await finds([word, []])
      await store.kv.set(["t", "k"], fresh)
      await finds(["pear", ["k"]])
      await noOrphans()
    })

  test("append, prepend and sum", async () => {
    await store.kv.createIndex(["t"], { fields: ["n"] })
    await store.kv
      .atomic()
      .append(["t", "list"], [{ n: "apple" }])
      .prepend(["t", "list"], [1])
      .commit()
    await store.kv.atomic().sum(["t", "sum"], 5n).max(["t", "max"], 3n).commit()
    await store.kv.set(["t", "k"], { n: "apple" })
    await refused(() => store.kv.atomic().sum(["t", "k"], 1n).commit(), "TYPE_MISMATCH")
    assert.deepEqual(await found(store.kv, ["t"], "apple"), ["k"])
    await store.kv.set(["t", "k"], [])
    await store.kv.atomic().append(["t", "k"], ["apple"]).commit()
    assert.deepEqual(await found(store.kv, ["t"], "apple"), [])
    await noOrphans()
  })

  test("what calls count is entries, not words; 16 MB of text are taken", async () => {
    await begin()
    const many = Array.from({ length: 700 }, (_, at) => ({
      key: ["t", at],
      value: { text: `apple ${at}`, at },
    }))
    assert.deepEqual(await store.kv.setMany(many), { count: 700 })
    const half = { where: { at: { $gte: 350 } } }
    assert.deepEqual(await store.kv.delete({ prefix: ["t"] }, half), { success: true, deletedCount: 350 })
    assert.deepEqual(await store.kv.delete(["t", 5]), { success: true, deletedCount: 1 })
    assert.deepEqual(await store.kv.touch(["t", 5], { expiresIn: 1 }), { ok: false })
    assert.deepEqual(await store.kv.delete(["t"]), { success: true, deletedCount: 350 })
    assert.equal(await store.kv.count([]), 0)
    const text = `${"word ".repeat(1_000_000)}${"x".repeat(10_000_000)} apple`
    await store.kv.set(["t", "large"], { text })
    await finds(["word apple", ["large"]])
    await store.kv.set(["t", "large"], fresh)
    await finds(["word", []])
    await noOrphans()
  })

  test("touch changes nothing", async () => {
    store.at(T0)
    await begin()
    await store.kv.touch(["t", "k"], { expiresIn: "1s" })
    await finds(["apple", ["k"]])
    store.at(T0 + 1000)
    await finds(["apple", []])
  })

  test("expiry, sweep, and a write over what has expired", async () => {
    store.at(T0)
    await begin()
    for (const id of ["a", "b", "c"]) await store.kv.set(["t", id], old, { expiresIn: "1s" })
    store.at(T0 + 1000)
    await finds(["apple", ["k"]])
    await noOrphans()
    await store.kv.set(["t", "a"], fresh)
    await finds(["pear", ["a"]])
    await store.sweep()
    await finds(["apple", ["k"]])
    await store.kv.setMany(["d", "e"].map((id) => ({ key: ["t", id], value: fresh })))
    await finds(["apple", ["k"]])
    await finds(["pear", ["a", "d", "e"]])
    await noOrphans()
  })

  test("a commit that fails leaves no words and takes none", async () => {
    await begin()
    const failing = store.kv
      .atomic()
      .set(["t", "new"], fresh)
      .set(["t", "k"], fresh)
      .delete({ prefix: ["t"] })
      .set(["t", "again"], fresh)
      .append(["t", "again"], [1])
    await refused(() => failing.commit(), "TYPE_MISMATCH")
    const stale = store.kv
      .atomic()
      .check({ key: ["t", "k"], versionstamp: null })
      .set(["t", "new"], fresh)
    assert.equal((await stale.commit()).ok, false)
    await assert.rejects(
      store.kv.transaction((tx) => {
        tx.set(["t", "new"], fresh)
        throw new Error("no")
      }),
    )
    await finds(["pear", []])
    await finds(["apple", ["k"]])
    await noOrphans()
  })

  test("survives reopening", { skip: !target.persistent }, async () => {
    await begin()
    await store.reopen()
    await finds(["apple", ["k"]])
    await store.kv.set(["t", "k"], fresh)
    await finds(["apple", []])
    assert.equal((await store.kv.listIndexes()).length, 1)
  })

  test("kept by a Kv that was open before the index was made, and found by it", {
    skip: !target.shared,
  }, async () => {
    const other = store.another()
    await other.set(["t", "early"], old)
    assert.deepEqual(await other.listIndexes(), [])
    await begin()
    await other.set(["t", "k"], fresh)
    await other.delete(["t", "early"])
    await other.setMany([{ key: ["t", "many"], value: fresh }])
    await finds(["pear", ["k", "many"]])
    await finds(["apple", []])
    assert.deepEqual(await foundSorted(other, ["t"], "pear"), ["k", "many"])
    await store.kv.createIndex(["t"], { fields: ["text"], tokenize: "porter" })
    await other.set(["t", "many"], { text: "running" })
    assert.deepEqual(await found(other, ["t"], "runs"), ["many"])
    await other.removeIndex(["t"])
    await store.kv.set(["t", "k"], old)
    assert.deepEqual(await store.kv.listIndexes(), [])
  })

  test("a backup searches too, and keeps its index", async () => {
    const folder = tempFolder()
    try {
      await begin()
      await store.kv.setMany(WORDS.map((text) => ({ key: ["t", text], value: { text } })))
      await store.kv.delete(["t", "pear"])
      const path = `${folder.path}/copy.db`
      await store.kv.backup(path)
      const copy = target.persistent
        ? target.open({ url: path })
        : new store.kv.constructor(path, { sweepInterval: 0 })
      assert.deepEqual(await foundSorted(copy, ["t"], "apple"), ["apple", "k"])
      await copy.set(["t", "k"], fresh)
      assert.deepEqual(await foundSorted(copy, ["t"], "apple"), ["apple"])
      assert.deepEqual(await foundSorted(copy, ["t"], "pear"), ["k"])
      await copy.close()
      assert.deepEqual(await orphans(path), [])
    } finally {
      folder.dispose()
    }
  })

  describe(`at random, seed ${SEED}`, () => {
    /** One step on a small key space; what it does is also done to the model. */
    async function step(random, kv) {
      const id = random.int(12)
      const key = ["t", id]
      const words = () =>
        random.many(1 + random.int(3), () => random.pick(WORDS)).join(random.pick([" ", ", ", "-"]))
      const value = () =>
        random.pick([
          { text: words() },
          { list: [words(), words()] },
          Uint8Array.of(1),
          5n,
          new KvU64(1n),
          { text: 1n },
          "x",
        ])
      const steps = [
        () => kv.set(key, value()),
        () => kv.set(key, { text: words() }, { expiresIn: 1 + random.int(5000) }),
        () => kv.setMany(random.many(5, () => ({ key: ["t", random.int(12)], value: value() }))),
        () => kv.delete(key),
        () => kv.delete({ prefix: ["t"], start: ["t", random.int(12)], end: ["t", 12] }),
        () => kv.delete({ prefix: ["t"] }, { where: { text: { $contains: random.pick(WORDS) } } }),
        () => kv.patch(key, { text: words() }),
        () => kv.touch(key, { expiresIn: 1 + random.int(5000) }),
        () =>
          kv
            .atomic()
            .set(key, value())
            .delete(["t", random.int(12)])
            .set(["u", id], value())
            .commit(),
        () =>
          kv
            .atomic()
            .set(["t", random.int(12)], value())
            .append(key, ["apple"])
            .commit(),
        () => kv.atomic().sum(key, 1n).commit(),
        () => Promise.all(random.many(3, () => kv.set(["t", random.int(12)], value()))),
        () => store.sweep(),
      ]
      try {
        await random.pick(steps)()
      } catch (error) {
        if (error.code !== "TYPE_MISMATCH") throw error
      }
    }

    /** The words of an entry's indexed fields. */
    const wordsOf = ({ value }) => {
      const texts = [value?.text, value?.list]
        .flat()
        .filter((text) => /^(string|number|bigint)$/.test(typeof text))
      return new Set(texts.flatMap((text) => String(text).split(/[^a-z0-9]+/)))
    }

    // Seen to fail: without the trigger of updates.
    test("search finds exactly what a list with the same words does, and nothing is left over", async () => {
      const random = new Random(SEED)
      let now = T0
      store.at(now)
      await store.kv.createIndex(["t"], { fields: ["text", "list"] })
      await store.kv.createIndex([], { fields: ["text"] })
      for (let n = 0; n < STEPS; n++) {
        await step(random, store.kv)
        now += random.int(400)
        store.at(now)
        if (n % 20 !== 0) continue
        const entries = []
        for await (const entry of store.kv.list({ prefix: ["t"] })) entries.push(entry)
        for (const word of [...WORDS, "1", "5"]) {
          const expected = entries.filter((entry) => wordsOf(entry).has(word)).map(({ key }) => key[1])
          const given = await found(store.kv, ["t"], word)
          assert.deepEqual(
            given.sort((a, b) => a - b),
            expected,
            `${word} after ${n} steps`,
          )
        }
      }
      await noOrphans()
    })

    test("random strings are queries", async () => {
      const random = new Random(SEED)
      await begin()
      const pieces = [
        "AND",
        "OR",
        "NOT",
        "NEAR",
        "*",
        "^",
        ":",
        '"',
        "'",
        "(",
        ")",
        "-",
        "+",
        "{",
        "}",
        "c0",
        "kv_search_1",
      ]
      const more = [
        ",",
        ";",
        "--",
        "\0",
        "\ud800",
        "\udfff",
        "🎉",
        "é",
        " ",
        "\n",
        "apple",
        "NEAR(",
        "rank",
        "\\",
        "%",
        "ﷺ",
        "\u0301",
      ]
      for (let n = 0; n < QUERIES; n++) {
        const letters = () => String.fromCharCode(random.int(random.pick([128, 65_536])))
        const query = random
          .many(random.int(20), () => random.pick([...pieces, ...more, letters()]))
          .join(random.pick(["", " "]))
        const keys = await found(store.kv, ["t"], query)
        assert.ok(keys.length <= 1, JSON.stringify(query))
        const exact = await found(
          store.kv,
          ["t"],
          `apple ${query.replaceAll(/[\p{L}\p{N}\p{M}\p{Co}]/gu, " ")}`,
        )
        assert.deepEqual(exact, ["k"], JSON.stringify(query))
      }
    })
  })
}
