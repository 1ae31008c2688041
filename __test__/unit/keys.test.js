import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { KvError } from "@buntime/keyval"
import fc from "fast-check"
import { decodeKey, encodeKey } from "../../dist/testing.js"
import { closeKey, key } from "../support/models/arbitrary-keys.js"
import { compareKeys, isUnder } from "../support/models/key-order.js"
import { fromHex, ordered, toHex, vectors } from "../support/tables/key-vectors.js"

function compareBytes(a, b) {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

describe("key codec", () => {
  test("encodes and decodes every vector", () => {
    for (const { key, hex } of vectors) {
      assert.equal(toHex(encodeKey(key)), hex)
      assert.deepEqual(decodeKey(fromHex(hex)), key)
    }
  })

  test("byte order is the documented order", () => {
    for (let at = 1; at < ordered.length; at++) {
      const [a, b] = [ordered[at - 1], ordered[at]]
      assert.ok(compareKeys(a, b) < 0, `order.js disagrees at ${at}`)
      assert.ok(compareBytes(encodeKey(a), encodeKey(b)) < 0, `entry ${at} does not come after ${at - 1}`)
    }
  })

  test("every NaN is one key", () => {
    const floats = new Float64Array(new BigUint64Array([0xfff8000000000001n, 0x7ff0000000000001n]).buffer)
    for (const nan of floats) assert.equal(toHex(encodeKey([nan])), "08fff8000000000000")
  })

  test("decode is the inverse of encode", () => {
    fc.assert(fc.property(key, (parts) => assert.deepEqual(decodeKey(encodeKey(parts)), parts)))
  })

  test("byte order is key order on random keys", () => {
    const check = (a, b) =>
      assert.equal(Math.sign(compareBytes(encodeKey(a), encodeKey(b))), Math.sign(compareKeys(a, b)))
    fc.assert(fc.property(closeKey, closeKey, check), { numRuns: 1000 })
  })

  test("descendants are the bytes between key 00 and key ff, and nothing else is", () => {
    const check = (prefix, parts) => {
      const [low, high] = [0x00, 0xff].map((end) => Uint8Array.from([...encodeKey(prefix), end]))
      const bytes = encodeKey(parts)
      const inside = compareBytes(bytes, low) >= 0 && compareBytes(bytes, high) < 0
      assert.equal(inside, isUnder(prefix, parts))
    }
    fc.assert(fc.property(closeKey, closeKey, check), { numRuns: 1000 })
    fc.assert(fc.property(closeKey, closeKey, (prefix, rest) => check(prefix, [...prefix, ...rest])))
  })

  test("bytes that are no key are refused", () => {
    const wrong = [
      "00",
      "03",
      "28",
      "ff",
      "02",
      "0261",
      "026100ff",
      "01",
      "0100ff",
      "08",
      "0840",
      "15",
      "1601",
    ]
    wrong.push(
      "1d",
      "1d00",
      "1d0009",
      "1d000901",
      "0b",
      "0bfff6fe",
      "02ff00",
      "02c08000",
      "02eda08000",
      "2600",
    )
    for (const hex of wrong) assert.throws(() => decodeKey(fromHex(hex)), KvError, hex)
  })

  test("no bytes crash the decoder, and what it accepts it gives back", () => {
    const check = (bytes) => {
      let parts
      try {
        parts = decodeKey(bytes)
      } catch (error) {
        assert.ok(error instanceof KvError)
        return
      }
      assert.deepEqual(decodeKey(encodeKey(parts)), parts)
    }
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), check), { numRuns: 1000 })
  })
})
