// values.mjs <seconds> [seed]: the value codec of JavaScript on its own output, and on mutated stored values
// that no version of it wrote: these are decoded or refused with a KvError, and nothing else happens. Run by
// `npm run fuzz`.
import assert from "node:assert/strict"
import { inspect } from "node:util"
import { KvError } from "../dist/modules/shared/errors.js"
import { decodeValue, encodeValue, revive } from "../dist/modules/value/index.js"
import { readKnown, readListed } from "../dist/modules/wire/page.js"

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

const TAGS = [
  "bigint",
  "date",
  "map",
  "set",
  "bytes",
  "typedarray",
  "regexp",
  "error",
  "number",
  "undefined",
  "object",
  "hole",
  "boxed",
]
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
  "ref",
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
        ...(random(4) ? {} : { ref: random(6) }),
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

/** Objects of the values that were made last. */
const made = []

function kept(object) {
  made.push(object)
  if (made.length > 4) made.shift()
  return object
}

/** A value that may be stored. */
function value(depth = 0) {
  const more = () => value(depth + 1)
  const many = () => Array.from({ length: random(4) }, more)
  // Some of an earlier value, which may hold itself.
  if (made.length > 0 && random(12) === 0) return pick(made)
  switch (depth > 4 ? random(8) : random(18)) {
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
      return kept(many())
    case 12:
      return kept(Object.assign(new Array(random(4)), many()))
    case 13:
      return Object(pick(["text", "", 0, -0, Number.NaN, true, 5n]))
    case 14: {
      const around = kept([...many()])
      around.push(more(), around)
      return around
    }
    default:
      return Object.fromEntries(many().map((one) => [pick(KEYS), one]))
  }
}

const prototypes = [Object.prototype, Array.prototype, Map.prototype, Function.prototype]
const ownNames = () => prototypes.map((one) => Reflect.ownKeys(one).length)
const before = ownNames()

const shown = (one) => inspect(one, { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity })

/** A text or bytes with a part doubled, removed, or replaced by a part of another. */
function mutated(data) {
  let changed = [...data]
  for (let times = 1 + random(3); times > 0; times--) {
    const [at, many] = [random(changed.length + 1), random(8)]
    switch (random(3)) {
      case 0:
        changed.splice(at, many)
        break
      case 1:
        changed.splice(at, 0, ...changed.slice(random(changed.length + 1)).slice(0, many))
        break
      default:
        changed[at] = typeof data === "string" ? pick(MARKS) : random(256)
    }
  }
  changed = changed.filter((one) => one !== undefined)
  return typeof data === "string" ? changed.join("") : Uint8Array.from(changed)
}

/** Pieces of pages and values that may be at a wrong place. */
const MARKS = [
  "[",
  "]",
  "{",
  "}",
  ",",
  ":",
  '"',
  "\\",
  "0",
  "-",
  "1e9",
  "null",
  '"__type"',
  "\ud800",
  "\0",
  " ",
]

/** An encoding and its data as it is stored, as text or as the bytes of the text. */
function encoded() {
  const given = value()
  const { encoding, data } = encodeValue(given, "value")
  return { encoding, data: typeof data === "string" && random(2) ? Buffer.from(data) : data }
}

/**
 * Pairs of texts that are JSON only together, as halves of one member, and so shift the members between them.
 */
const HALVES = ["1,[2", "3],4", "3],4,5", '3],4,5,"x"', '1,{"a":2', '"b":3},4,5', "1,2", '5,"', '",7']

/** A page as Rust writes it: a value stored as JSON is copied into it unchecked. */
function page(isList) {
  const [parts, odd, size] = [[], [], random(5)]
  for (let at = 0; at < size; at++) {
    const encoding = pick([0, 1, 1, 2, 3])
    const tagged = isList && random(4) === 0
    if (isList)
      parts.push(tagged ? pick(['{"i":"5"}', '{"b":"AP8="}', '[{"n":"NaN"},1]']) : pick(['"k"', "[]", "7"]))
    const text = JSON.stringify(stored())
    const damaged = [text, mutated(text), pick(HALVES)]
    parts.push(encoding > 1 ? pick(["[0,8]", "[8,1]", "[0,0]"]) : pick(damaged))
    parts.push(at > 0 && random(3) === 0 ? "0" : '"stamp"')
    const flags = encoding + (tagged ? 16 : 0)
    if (flags > 0) odd.push([at, flags, random(3)])
  }
  return { size, text: `[${[...parts, ...odd, odd.length, size, random(2)].join(",")}]` }
}

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
  damaged() {
    const { encoding, data } = encoded()
    refusedOr(() => decodeValue(random(8) ? encoding : random(7), mutated(data)))
  },
  page() {
    const isList = random(2) === 1
    const { size, text } = page(isList)
    const parcel = { text, bytes: new Uint8Array(9), base: 0 }
    const keys = Array.from({ length: size }, (_, at) => [at])
    const found = refusedOr(() =>
      isList ? readListed(parcel, ["t"], false).entries : readKnown(parcel, keys),
    )
    assert.equal(found?.length ?? size, size)
  },
  bytes() {
    const bytes = Uint8Array.from({ length: random(20) }, () => random(256))
    refusedOr(() => decodeValue(random(7), bytes))
  },
  roundTrip() {
    const given = value()
    const { encoding, data } = encodeValue(given, "value")
    const back =
      encoding === 0
        ? JSON.parse(data)
        : encoding === 1
          ? revive(JSON.parse(data))
          : decodeValue(encoding, data)
    // Not by deepEqual: Node's distinguishes two invalid dates, and Bun's two maps with equal objects as
    // keys.
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
