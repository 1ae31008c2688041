// People by city and age: an index whose keys hold the fields, then the id, and whose values hold nothing.
import assert from "node:assert/strict"
import { Kv, type KvKeyPart, type KvTransaction } from "@buntime/keyval"

interface Fields {
  city: string
  age: number
}
interface Person extends Fields {
  id: number
}

const kv = new Kv(":memory:")
const indexKey = ({ city, age, id }: Person) => ["people-by-city", city, age, id]

/** Changes a person with the index: `change` gets the current state or null, and gives the next or null. */
async function update(id: number, change: (before: Person | null) => Fields | null) {
  const run = async (tx: KvTransaction) => {
    const { value: before } = await tx.get<Person>(["people", id])
    const after = change(before)
    if (before !== null) tx.delete(indexKey(before))
    if (after === null) tx.delete(["people", id])
    else tx.set(["people", id], { ...after, id }).set(indexKey({ ...after, id }), null)
  }
  const { ok } = await kv.transaction(run, { maxRetries: 200, retryDelay: 1 })
  if (!ok) throw new Error("too many conflicts")
}

/** People of a city with an age in a range, youngest first: `from` is inclusive, `to` exclusive. */
async function peopleOf(city: string, from = 0, to = Number.POSITIVE_INFINITY) {
  const prefix = ["people-by-city", city]
  const keys: KvKeyPart[][] = []
  for await (const { key } of kv.list(
    { prefix, start: [...prefix, from], end: [...prefix, to] },
    { keysOnly: true },
  ))
    keys.push(["people", ...key.slice(-1)])
  const people: Person[] = []
  for (let at = 0; at < keys.length; at += 1000) {
    const entries = await kv.getMany<Person>(keys.slice(at, at + 1000))
    // The index and the people were read one after the other: drop people who left the city in between.
    for (const { value } of entries)
      if (value?.city === city && value.age >= from && value.age < to) people.push(value)
  }
  return people
}

const cities = ["Berlin", "Lisbon", "Oslo"]
await Promise.all(
  Array.from({ length: 30 }, (_, id) => update(id, () => ({ city: cities[id % 3] ?? "", age: 20 + id }))),
)
assert.equal((await peopleOf("Berlin")).length, 10)
assert.deepEqual(
  (await peopleOf("Berlin", 30, 40)).map(({ age }) => age),
  [32, 35, 38],
)

// 200 updates at once of five people: each has a birthday or moves, one is deleted.
const updates = Array.from({ length: 200 }, (_, n) =>
  update(n % 5, (person) => {
    if (person === null) return null
    return n % 2 === 0 ? { ...person, age: person.age + 1 } : { ...person, city: cities[n % 3] ?? "" }
  }),
)
await Promise.all(updates)
await update(4, () => null)
const ages = (await kv.getMany<Person>([0, 1, 2, 3].map((id) => ["people", id]))).map(
  ({ value }) => value?.age,
)
assert.deepEqual(ages, [40, 41, 42, 43]) // 20 + id, and 20 birthdays each: none is lost

// The index is what the people say, no more and no less.
const expected: string[] = []
for await (const { value } of kv.list<Person>(["people"])) expected.push(indexKey(value).join())
const found: string[] = []
for await (const { key } of kv.list(["people-by-city"], { keysOnly: true })) found.push(key.join())
assert.equal(found.length, 29)
assert.deepEqual(found.toSorted(), expected.toSorted())

await kv.close()
console.log("non-unique-index: ok")
