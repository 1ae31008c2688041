// values.mjs <seconds> [seed]: the value codec of JavaScript on what no version of it wrote, and on what it did. Stored
// values are mutated; they are told or refused by a KvError, and nothing else happens. Run by `npm run fuzz`.
import assert from "node:assert/strict"
import { inspect } from "node:util"
import { KvError } from "../dist/errors.js"
import { decodeValue, encodeValue, revive } from "../dist/value/index.js"

const [, , seconds = "10", seed = String(Date.now() % 2 ** 31)] = process.argv
console.log(`javascript, ${process.versions.bun ? "Bun" : "Node"}, seed ${seed}`)

/** mulberry32. */
let state = Number(seed)
function random(end) {
  state = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) % end
}
const pick = (from) => from[random(from.length)]

const TAGS = ["bigint", "date", "map", "set", "bytes", "typedarray", "regexp", "error", "number", "undefined"]
const KEYS = [
  "__type",
  "value",
  "__proto__",
  "constructor",
  "prototype",
  "toJSON",
  "type",
  "a",
  "0",
  "flags",
  "name",
]
const ATOMS = [
  null,
  true,
  0,
  -0,
  1.5,
  1e308,
  "",
  "1",
  "-12",
  "x",
  "NaN",
  "Infinity",
  "AAAA",
  "a/b",
  "gi",
  "\ud800",
  "__proto__",
  "Uint8Array",
  "Float64Array",
  "BigInt64Array",
  "2020-01-01T00:00:00.000Z",
  "TypeError",
  "escaped",
  8.64e15,
  8.65e15,
]

/** A value as JSON could hold it, with many tags, right and wrong. */
function stored(depth = 0) {
  switch (depth > 5 ? 0 : random(6)) {
    case 0:
    case 1:
      return pick(ATOMS)
    case 2:
      return Array.from({ length: random(4) }, () => stored(depth + 1))
    case 3:
      return object(depth)
    default:
      return {
        __type: random(8) ? pick(TAGS) : stored(depth + 1),
        value: stored(depth + 1),
        ...(random(4) ? {} : object(depth)),
      }
  }
}

/** By JSON.parse, which makes `__proto__` a member like any other. */
function object(depth) {
  const members = Array.from(
    { length: random(4) },
    () => `${JSON.stringify(pick(KEYS))}:${JSON.stringify(stored(depth + 1))}`,
  )
  return JSON.parse(`{${members.join(",")}}`)
}

/** A value that may be stored. */
function value(depth = 0) {
  const more = () => value(depth + 1)
  const many = () => Array.from({ length: random(4) }, more)
  switch (depth > 4 ? random(8) : random(16)) {
    case 0:
      return pick([null, true, false, undefined, "", "text", "__type", "\ud800x"])
    case 1:
      return pick([0, -0, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 53, -1e-300])
    case 2:
      return BigInt(random(2 ** 31)) ** BigInt(random(9)) * pick([1n, -1n])
    case 3:
      return new Date(pick([0, Number.NaN, 8.64e15, random(2 ** 31)]))
    case 4:
      return Uint8Array.from({ length: random(9) }, () => random(256))
    case 5:
      return pick([/a/gi, /\//u, /[\n]/])
    case 6:
      return pick([
        new Float64Array([1.5, Number.NaN]),
        new BigInt64Array([-1n]),
        new Uint16Array(3),
        new ArrayBuffer(5),
      ])
    case 7:
      return pick(ATOMS)
    case 8:
      return new Map(many().map((one) => [one, more()]))
    case 9:
      return new Set(many())
    case 10:
    case 11:
      return many()
    default:
      return Object.fromEntries(many().map((one) => [pick(KEYS), one]))
  }
}

const prototypes = [Object.prototype, Array.prototype, Map.prototype, Function.prototype]
const ownNames = () => prototypes.map((one) => Reflect.ownKeys(one).length)
const before = ownNames()

const shown = (one) => inspect(one, { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity })

function refusedOr(work) {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof KvError) || !["CORRUPT", "UNSUPPORTED"].includes(error.code)) throw error
    return undefined
  }
}

const rounds = {
  revived() {
    refusedOr(() => revive(JSON.parse(JSON.stringify(stored()))))
  },
  bytes() {
    const bytes = Uint8Array.from({ length: random(20) }, () => random(256))
    refusedOr(() => decodeValue(random(7), bytes))
  },
  roundTrip() {
    const given = value()
    if (given === undefined) return
    const { encoding, data } = encodeValue(given, "value")
    const back =
      encoding === 0
        ? JSON.parse(data)
        : encoding === 1
          ? revive(JSON.parse(data))
          : decodeValue(encoding, data)
    // Not by deepEqual: Node's tells two invalid dates apart, and Bun's two maps with equal objects as keys.
    assert.equal(shown(back), shown(given))
    assert.deepEqual(encodeValue(back, "value"), { encoding, data })
  },
}

let executions = 0
const until = performance.now() + Number(seconds) * 1000
while (performance.now() < until) {
  for (let at = 0; at < 100; at++) {
    const start = state
    const name = pick(Object.keys(rounds))
    try {
      rounds[name]()
      assert.deepEqual(ownNames(), before, "a prototype was changed")
    } catch (error) {
      console.error(`a finding in ${name}, at state ${start}: fuzz/values.mjs 1 ${start}`)
      throw error
    }
    executions++
  }
}
console.log(`${executions} executions`)
