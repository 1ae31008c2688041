import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { found } from "../../support/full-text.js"
import { matches } from "../../support/models/filter-oracle.js"
import { Random } from "../../support/random.js"
import { T0, useStore } from "../../support/store.js"

const STEPS = Number(process.env.KEYVAL_STEPS ?? 1500)
const IDS = 80
const INDEXES = [
  [["d"], { on: ["city", "age"] }],
  [["d"], { on: ["n.m"] }],
  [[], { on: ["age"] }],
  [["d"], { on: ["u"], unique: true }],
  [["d"], { fields: ["text", "n.m"] }],
  [["d", "s"], { fields: ["text"], tokenize: "porter" }],
]
const WORDS = ["apple", "fig", "uber", "7", "pears"]

/** Keys of two prefixes, one above the other. */
const keyOf = (id) => (id % 3 ? ["d", id] : ["d", "s", id])

function documentOf(random) {
  const u = random.pick([random.int(60), `k${random.int(60)}`, undefined])
  return {
    city: random.pick(["Bern", "Rome", "Köln", 5, 5n, null]),
    age: random.pick([1, 2, 3n, 4.5, new Date(3), "x"]),
    n: random.pick([{ m: "fig tree" }, { m: 7 }, null, { m: true }]),
    text: random.pick(["apple pie", "pears run", "running apples", "über"]),
    ...(u !== undefined && { u }),
  }
}

const filterOf = (random) =>
  random.pick([
    { city: random.pick(["Bern", "Rome", 5, 5n]) },
    { city: random.pick(["Bern", 5]), age: { $gte: random.pick([1, 3, 4.5]) } },
    { age: { $lte: random.pick([2, 3n, new Date(3)]) } },
    { "n.m": { $startsWith: "fig" } },
    { n: { m: { $in: [7, true] } } },
    { u: random.int(60) },
  ])

function holdsWord({ text, n }, word) {
  const texts = [text, typeof n?.m === "boolean" ? "" : n?.m].join(" ")
  const plain = texts.normalize("NFD").replaceAll(/\p{M}/gu, "")
  return plain.split(" ").includes(word)
}

/** What the store should have, by id; the clock is the test's. */
class Model {
  #entries = new Map()
  now = T0

  get live() {
    for (const [id, { expiresAt }] of this.#entries) if (expiresAt <= this.now) this.#entries.delete(id)
    return this.#entries
  }

  ids(holds) {
    const ids = [...this.live].filter(([, { value }]) => holds(value)).map(([id]) => id)
    return ids.toSorted((a, b) => a - b)
  }
}

/** Steps by their names, each with the store (`kv` may change), the model and the choices. */
const steps = {
  async set({ store: { kv }, model, random, seen }) {
    const [id, value] = [random.int(IDS), documentOf(random)]
    const ttl = random.chance(0.5) ? { expiresIn: 1 + random.int(200) } : {}
    const unique = (await kv.listIndexes()).some((index) => index.unique)
    const taken = model.ids((other) => value.u !== undefined && other.u === value.u).some((one) => one !== id)
    const writes = [kv, kv.atomic()].map((one) => () => one.set(keyOf(id), value, ttl))
    const written = random.chance(0.5) ? writes[0]() : writes[1]().commit()
    if (unique && taken) {
      seen.conflicts++
      return assert.rejects(written, { code: "CONFLICT" })
    }
    await written
    model.live.set(id, { value, expiresAt: ttl.expiresIn ? model.now + ttl.expiresIn : Infinity })
  },

  async remove({ store: { kv }, model, random }) {
    const id = random.int(IDS)
    await kv.delete(keyOf(id))
    model.live.delete(id)
  },

  async touch({ store: { kv }, model, random }) {
    const [id, expiresIn] = [random.int(IDS), 1 + random.int(100)]
    const entry = model.live.get(id)
    assert.equal((await kv.touch(keyOf(id), { expiresIn })).ok, entry !== undefined)
    if (entry) entry.expiresAt = model.now + expiresIn
  },

  async removeMatches({ store: { kv }, model, random }) {
    const where = filterOf(random)
    const ids = model.ids((value) => matches(where, value, () => undefined))
    assert.equal((await kv.delete(["d"], { where })).deletedCount, ids.length)
    for (const id of ids) model.live.delete(id)
  },

  async index({ store: { kv }, random }) {
    const [prefix, options] = random.pick(INDEXES)
    if (!options.unique && random.chance(0.4))
      return kv.removeIndex(prefix, options.on?.join(",") ?? "search")
    await kv.createIndex(prefix, options)
  },

  async time({ store, model, random }) {
    model.now += random.int(60)
    store.at(model.now)
    if (random.chance(0.3)) await store.sweep()
  },

  async list({ store: { kv }, model, random, seen }) {
    const where = filterOf(random)
    const ids = model.ids((value) => matches(where, value, () => undefined))
    const listed = []
    const options = { where, batchSize: 1 + random.int(5), reverse: random.chance(0.5) }
    for await (const { key } of kv.list(["d"], options)) listed.push(key.at(-1))
    assert.deepEqual(
      listed.toSorted((a, b) => a - b),
      ids,
    )
    assert.equal(await kv.count(["d"], { where }), ids.length)
    if ((await kv.explain(["d"], where)).index !== null) seen.served++
  },

  async search({ store: { kv }, model, random, seen }) {
    const exists = (await kv.listIndexes()).some(
      ({ kind, prefix }) => kind === "search" && prefix.length === 1,
    )
    if (!exists) return
    const word = random.pick(WORDS)
    const ids = await found(kv, ["d"], word)
    assert.deepEqual(
      ids.toSorted((a, b) => a - b),
      model.ids((value) => holdsWord(value, word)),
    )
    seen.searches++
  },
}

const OFTEN = ["set", "set", "set", "set", "remove", "touch", "time", "list", "list", "search", "search"]
const SELDOM = ["removeMatches", "index"]

export function indexesModel(target) {
  const store = useStore(target, { options: { sweepInterval: 0 } })

  describe("indexes at random", () => {
    const seed = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))

    test(`${STEPS} steps with times to live and the clock moved (KEYVAL_SEED=${seed})`, async () => {
      const context = {
        store,
        model: new Model(),
        random: new Random(seed),
        seen: { conflicts: 0, served: 0, searches: 0 },
      }
      const { random, model, seen } = context
      store.at(T0)
      for (const [prefix, options] of INDEXES) await store.kv.createIndex(prefix, options)
      for (let step = 0; step < STEPS; step++) {
        const name = random.pick(random.chance(0.06) ? SELDOM : OFTEN)
        await steps[name](context).catch((error) => {
          error.message = `KEYVAL_SEED=${seed} step ${step}, ${name}: ${error.message}`
          throw error
        })
        if (!target.persistent || !random.chance(0.005)) continue
        await store.reopen()
        store.at(model.now)
      }
      assert.ok(
        Object.values(seen).every((count) => count > 0),
        JSON.stringify(seen),
      )
    })
  })
}
