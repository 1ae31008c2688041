// Full-text search: an index that the database keeps, and a search box that takes whatever is typed.
import assert from "node:assert/strict"
import { Kv, type KvKey, type KvSearchIndexOptions, type KvSearchOptions } from "@buntime/keyval"

const kv = new Kv(":memory:")

/** Made once: an existing index is not built again. */
async function ensureIndex(prefix: KvKey, options: KvSearchIndexOptions) {
  const wanted = JSON.stringify([prefix, options.fields, options.tokenize])
  const indexes = await kv.listIndexes()
  if (indexes.some((index) => JSON.stringify([index.prefix, index.fields, index.tokenize]) === wanted))
    return false
  await kv.createIndex(prefix, options)
  return true
}

/** The titles of the best recipes, for what somebody typed. */
async function box(typed: string, options: KvSearchOptions = {}) {
  const titles: string[] = []
  // Each different word costs; nobody means hundreds.
  const query = typed.split(/\s+/).slice(0, 20).join(" ")
  for await (const { value } of kv.search<{ title: string }>(["recipes"], query, { limit: 10, ...options }))
    titles.push(value.title)
  return titles
}

await kv.set(["recipes", 1], { title: "Apple pie", text: "Bake the apples.", tags: ["sweet"], minutes: 60 })
const options: KvSearchIndexOptions = { fields: ["title", "text", "tags"], tokenize: "porter" }
assert.equal(await ensureIndex(["recipes"], options), true)
assert.equal(await ensureIndex(["recipes"], options), false)

await kv.set(["recipes", 2], {
  title: "Crème brûlée",
  text: "Baking it takes patience. An apple goes well with it, they say, and so do berries of all kinds.",
  tags: ["sweet", "french"],
  minutes: 50,
})
await kv.set(["recipes", 3], { title: "Soup", text: "Boil what you have.", tags: ["quick"], minutes: 15 })

assert.deepEqual(await box("apple"), ["Apple pie", "Crème brûlée"]) // the shorter text first
assert.deepEqual(await box("creme BRULEE"), ["Crème brûlée"])
assert.deepEqual(await box("baked apple"), ["Apple pie", "Crème brûlée"]) // all words must be there
assert.deepEqual(await box("sweet", { where: { minutes: { $lt: 55 } } }), ["Crème brûlée"])
assert.deepEqual(await box('AND "soup'), []) // no operators: AND is a word
assert.deepEqual(await box('"soup'), ["Soup"])
assert.deepEqual(await box("🥧 *"), [])

// Kept in the commit that writes.
await kv.atomic().patch(["recipes", 3], { title: "Apple soup" }).delete(["recipes", 1]).commit()
assert.deepEqual((await box("apple")).sort(), ["Apple soup", "Crème brûlée"])

await kv.close()
console.log("search: ok")
