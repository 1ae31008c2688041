/**
 * What structured clone keeps of plain data beside its text: which objects are one, holes, boxed primitives.
 */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import fc from "fast-check"
import { MAX_NESTING_DEPTH } from "../../dist/modules/shared/limits.js"
import { decodeValue, encodeValue } from "../../dist/modules/value/index.js"
import { graphs, shapeOf } from "../support/graphs.js"
import { commandOf, root } from "../support/runtimes.js"

const encode = (value) => encodeValue(value, "value")
const text = (value) => encode(value).data

function roundTrip(value) {
  const { encoding, data } = encode(value)
  return decodeValue(encoding, data)
}

describe("objects that are in a value several times", () => {
  // Seen to fail: where a shared object was written at each place, and a cycle refused.
  test("every graph reads back as it was", () => {
    const property = fc.property(graphs, (value) => {
      const read = roundTrip(value)
      assert.deepEqual(shapeOf(read), shapeOf(value))
      assert.equal(text(read), text(value))
    })
    fc.assert(property, { numRuns: 1000 })
  })

  test("and as structured clone has it", () => {
    // Node cannot clone an error that is its own cause, and Bun clones no cause.
    const isClonable = (value) => !shapeOf(value).some((line) => line.endsWith(" [object Error]"))
    const property = fc.property(graphs.filter(isClonable), (value) => {
      assert.deepEqual(shapeOf(roundTrip(value)), shapeOf(structuredClone(value)))
    })
    fc.assert(property, { numRuns: 1000 })
  })

  test("the first place has it, and the others a reference with its number", () => {
    const address = { city: "Paris" }
    const stored = '{"billing":{"city":"Paris"},"shipping":{"__type":"object","ref":1}}'
    assert.deepEqual(encode({ billing: address, shipping: address }), { encoding: 1, data: stored })
    const ring = { name: "ring" }
    ring.self = ring
    assert.equal(text(ring), '{"name":"ring","self":{"__type":"object","ref":0}}')
    const map = new Map()
    map.set(map, [map])
    assert.equal(
      text(map),
      '{"__type":"map","value":[[{"__type":"object","ref":0},[{"__type":"object","ref":0}]]]}',
    )
    // What is counted: not the members of an error, not a date, not a bigint, and an object of one's own that
    // is in a tag once.
    const last = []
    const error = Object.assign(new TypeError("e"), { at: [1] })
    delete error.stack
    const all = [new Date(0), 5n, { __type: {} }, error, new Set([[]]), last, last]
    assert.equal(
      text(all)
        .match(/"ref":\d+/g)
        .join(),
      '"ref":7',
    )
  })

  test("a tree of objects stays plain text, however many there are", () => {
    for (const size of [1, 15, 16, 17, 18, 100]) {
      const tree = Array.from({ length: size }, (_, at) => ({ at, in: [{}] }))
      assert.equal(encode(tree).encoding, 0)
      assert.deepEqual(encode([tree, tree[size - 1]]).encoding, 1)
      const read = roundTrip([tree, tree[size - 1]])
      assert.equal(read[0][size - 1] === read[1], true)
    }
  })

  test("primitives, dates, regular expressions and bytes are written at each place", () => {
    const [now, bytes] = [new Date(5), Uint8Array.of(1)]
    const value = { created: now, updated: now, bytes, copy: bytes }
    assert.equal(text(value).includes("ref"), false)
    assert.deepEqual(roundTrip(value), value)
  })

  // Seen to fail: the first was counted to the limit of a value's size, place by place, and refused.
  test("a value is as large as its objects, not as its places", () => {
    let value = ["x"]
    for (let at = 0; at < 60; at++) value = [value, value]
    const read = roundTrip(value)
    assert.equal(read[0] === read[1], true)
    assert.ok(text(value).length < 4000)
    let reached = read
    for (let at = 0; at < 60; at++) reached = reached[1]
    assert.deepEqual(reached, ["x"])
  })

  test("the nesting of the text is limited, not that of the ways in it", () => {
    const ring = []
    let last = ring
    for (let at = 1; at < MAX_NESTING_DEPTH; at++) last = last[0] = []
    last[0] = ring
    assert.deepEqual(shapeOf(roundTrip(ring)), shapeOf(ring))
    last[1] = [[]]
    assert.throws(() => encode(ring), { code: "LIMIT_EXCEEDED" })
  })

  test("a getter that writes another value meanwhile", () => {
    const shared = [1]
    const value = {
      a: shared,
      get inner() {
        return encode([shared, [2], { shared }]).data
      },
      b: [2],
    }
    assert.equal(encode(value).encoding, 0)
    assert.equal(encode({ value, b: shared, again: shared }).encoding, 1)
  })

  test("what is written as a tree has no references", () => {
    const one = { n: 1 }
    assert.deepEqual(encodeValue([one, one], "patch", true), { encoding: 0, data: '[{"n":1},{"n":1}]' })
    assert.equal(encodeValue([one, 1n, one], "patch", true).data.includes("ref"), false)
    const ring = []
    ring.push(ring)
    assert.throws(() => encodeValue(ring, "patch", true), {
      message: "patch[0]: a cycle, which leads back to patch, cannot be stored",
    })
  })

  test("references to nothing that was made before are damage", () => {
    const { ofWhole } = JSON.parse(readFileSync(join(root, "testdata", "tags.json"), "utf8"))
    for (const stored of ofWhole.damaged)
      assert.throws(() => decodeValue(1, stored), { code: "CORRUPT" }, stored)
    for (const stored of ofWhole.sound) decodeValue(1, stored)
    assert.ok(ofWhole.damaged.length > 10 && ofWhole.sound.length > 10)
  })
})

describe("holes", () => {
  test("are holes again, also at the end", () => {
    // biome-ignore lint/suspicious/noSparseArray: that is the test
    for (const value of [[1, , 2], [,], [, undefined, ,], [[, { a: [, 1] }]], new Array(3)]) {
      const read = roundTrip(value)
      assert.deepEqual(shapeOf(read), shapeOf(value))
      assert.deepEqual(shapeOf(read), shapeOf(structuredClone(value)))
      assert.deepStrictEqual(read, value)
    }
    const late = [1]
    late[4] = 5
    assert.equal(text(late), `[1,${'{"__type":"hole"},'.repeat(3)}5]`)
  })

  // Seen to fail: without the look at the length, 16 MiB of text were written first ("at least 16777226").
  test("an array of far too many is refused before it is written", () => {
    for (const length of [4e9, 2e6]) {
      const array = [new Date(0)]
      array.length = length
      assert.throws(
        () => encode({ first: [array] }),
        ({ code, message }) => {
          const size = Number(/^value: at least (\d+) bytes/.exec(message)?.[1])
          return code === "LIMIT_EXCEEDED" && size > 17 * length
        },
      )
    }
  })
})

describe("boxed primitives", () => {
  test("are boxed again", () => {
    for (const primitive of ["", "text", "\ud800", 0, -0, NaN, 1.5, true, false, 5n, -(2n ** 70n)]) {
      const [read] = roundTrip([Object(primitive)])
      assert.deepStrictEqual(read, Object(primitive))
      assert.deepStrictEqual(read, structuredClone(Object(primitive)))
    }
    assert.deepStrictEqual(roundTrip(Object("text")), Object("text"))
    assert.equal(text(Object("a")), '{"__type":"boxed","value":"a"}')
    assert.equal(text([Object(1n)]), '[{"__type":"boxed","value":{"__type":"bigint","value":"1"}}]')
  })

  test("with members of their own, of a symbol or of a class of yours they are refused", () => {
    class Name extends String {}
    const refused = (value, message) => assert.throws(() => encode(value), { message })
    refused([Object.assign(Object("ab"), { zone: 1 })], "value[0].zone: members of a String cannot be stored")
    refused([Object(Symbol("s"))], "value[0]: instances of Symbol cannot be stored")
    refused([new Name("x")], "value[0]: instances of Name cannot be stored")
  })
})

test("undefined is a value", () => {
  assert.deepEqual(encode(undefined), { encoding: 1, data: '{"__type":"undefined"}' })
  assert.equal(roundTrip(undefined), undefined)
})

test("the other runtime writes and reads the same", () => {
  const source = `
    import { decodeValue, encodeValue } from ${JSON.stringify(join(root, "dist/modules/value/index.js"))}
    const shared = { n: 1 }
    const ring = new Map([["shared", shared], ["holes", [, shared, ,]], ["boxed", Object("b")]])
    ring.set(ring, new Set([ring, Object(1n), undefined]))
    const { encoding, data } = encodeValue(ring, "value")
    const read = decodeValue(encoding, data)
    if (!read.has(read) || read.get("holes")[1] !== read.get("shared")) throw new Error(data)
    console.log(JSON.stringify([encoding, data, encodeValue(read, "value").data === data]))`
  const [here, there] = [process.execPath, commandOf(process.versions.bun ? "node" : "bun")].map(
    (command) => {
      const flags = command.includes("node") ? ["--input-type=module", "-e"] : ["-e"]
      const { stdout, stderr, status } = spawnSync(command, [...flags, source], { encoding: "utf8" })
      assert.equal(status, 0, stderr)
      return JSON.parse(stdout)
    },
  )
  assert.deepEqual(there, here)
  assert.equal(here[2], true)
})
