// samples.js write|read <file>: writes every sample, or compares what is stored with them.
import assert from "node:assert/strict"
import { Kv } from "@buntime/keyval"
import { plain } from "../../../support/assert.js"
import { shapeOf } from "../../../support/graphs.js"
import { ordered } from "../../../support/tables/key-vectors.js"
import { samples } from "../../../support/tables/samples.js"
import { printJson } from "../lines.js"

const [mode, file] = process.argv.slice(2)
const kv = new Kv(file)
const named = Object.entries(samples())

async function write() {
  await kv.setMany(named.map(([name, value]) => ({ key: ["value", name], value })))
  await kv.setMany(ordered.map((key, at) => ({ key: ["key", at, ...key].slice(0, 20), value: key })))
  await kv
    .atomic()
    .sum(["counter"], 2n ** 64n)
    .append(["list"], [1n, new Date(5)])
    .commit()
  await kv.set(["expires"], 1, { expiresIn: "1h" })
}

async function read() {
  for (const [name, value] of named) {
    const entry = await kv.get(["value", name])
    assert.deepEqual(plain(entry.value), plain(value), name)
    assert.deepEqual(shapeOf(entry.value), shapeOf(value), name)
    if (value && typeof value === "object") {
      assert.equal(Object.getPrototypeOf(entry.value), Object.getPrototypeOf(value), name)
    }
  }
  let at = 0
  for await (const { key, value } of kv.list(["key"])) {
    assert.deepEqual(value, ordered[at])
    assert.deepEqual(key, ["key", at, ...ordered[at]].slice(0, 20))
    at++
  }
  assert.equal(at, ordered.length)
  const [counter, list, expires] = await kv.getMany([["counter"], ["list"], ["expires"]])
  assert.deepEqual([counter.value, list.value], [2n ** 64n, [1n, new Date(5)]])
  assert.ok(expires.expiresAt > Date.now())
}

await (mode === "write" ? write() : read())
await kv.close()
printJson(true)
