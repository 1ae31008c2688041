// Filters that are none, as data: [how it is made, codes, what the message says].
import { runInNewContext } from "node:vm"

const INVALID = "INVALID_ARGUMENT"
const LIMIT = "LIMIT_EXCEEDED"

class Custom {
  a = 1
}

const loop = { a: { $or: [] } }
loop.a.$or.push(loop)
const ring = []
ring.push(ring)

/** So many objects within one another, around `inner`. */
function nest(levels, wrap, inner) {
  return Array.from({ length: levels }).reduce(wrap, inner)
}

const of = (count, make) => Array.from({ length: count }, (_, at) => make(at))
const not = (inner) => ({ $not: inner })
const and = (inner) => ({ $and: [inner] })
const field = (inner) => ({ f: inner })

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const rows = []
function refuse(codes, filter, ...said) {
  rows.push([() => filter, codes, ...said])
}

/** What a message begins with. */
function startsWith(place, end = ": ") {
  return new RegExp(`^${place.replaceAll(/[$.[\]]/g, "\\$&")}${end}`)
}

/** At the root, and below a field: `place` of what is refused. */
function refuseAnywhere(condition, place, ...said) {
  refuse(INVALID, condition, startsWith(`where${place}`), ...said)
  refuse(INVALID, { a: condition }, startsWith(`where.a${place}`), ...said)
  refuse(INVALID, { "a.b[0]": condition }, startsWith(`where.a.b[0]${place}`), ...said)
  refuse(INVALID, { $or: [{ a: 1 }, { b: condition }] }, startsWith(`where.$or[1].b${place}`), ...said)
  refuse(INVALID, { a: { $not: condition } }, startsWith(`where.a.$not${place}`), ...said)
}

for (const none of [
  null,
  5,
  "a",
  true,
  5n,
  [],
  [{ a: 1 }],
  new Date(0),
  new Map([["a", 1]]),
  new Custom(),
  () => 1,
  Symbol("a"),
])
  refuse(INVALID, none, /^where: must be an object/)
rows.push([(kv) => kv.now(), INVALID, /^where: /])
rows.push([() => ({ a: revoked() }), INVALID, /^where\.a: /])

refuseAnywhere({}, "", /empty/)
refuseAnywhere({ $eqq: 1 }, ".$eqq", /no operator \$eqq/, /\$eq\?/)
refuseAnywhere({ $: 1 }, ".$", /no operator/)
refuseAnywhere({ $where: "1" }, ".$where", /no operator/, /no code is run/)
// Seen to fail: it was asked whether $eq was meant.
refuseAnywhere({ $eq: 1, $regex: "a" }, ".$regex", /no operator/, /patterns are not supported.*\$startsWith/)
refuseAnywhere({ $exists: true }, ".$exists", /no operator/, /\$null: true/)
// Seen to fail: all of these were asked whether another operator was meant: $mod whether $not, $type whether
// $lte.
for (const pattern of ["$regexp", "$RegExp", "$options", "$match", "$like", "$ilike", "$glob", "$rlike"])
  refuse(INVALID, { a: { [pattern]: "x" } }, /no operator/, /patterns are not supported.*\$contains/)
for (const [name, ...said] of [
  ["$mod", /no code is run/],
  ["$expr", /no code is run/],
  ["$bitsAllSet", /no code is run/],
  ["$type", /does not ask for types/],
  ["$jsonSchema", /schema of a kv\.collection/],
  ["$all", /\$contains.*\$and/],
  ["$hasSome", /\$contains.*\$or/],
  ["$size", /\$empty: true/],
  ["$near", /\$between/],
  ["$geoWithin", /\$between/],
  ["$text", /kv\.search/],
  ["$elemMatch", /items\[0\]\.price/],
  ["$is", /use \$eq$/],
  ["$equals", /use \$eq$/],
  ["$after", /use \$gt$/],
  ["$includes", /use \$contains$/],
  ["$", /the operators are \$eq, \$ne, .*\$not/],
  ["$comment", /the operators are/],
  ["$frobnicate", /the operators are/],
  ["$slice", /the operators are/],
])
  refuse(INVALID, { a: { [name]: 1 } }, /no operator/, ...said)

// Seen to fail: each of them was compared with stored RegExps, and found no text that it matches.
for (const [given, place] of [
  [/x/, ""],
  [/x/gi, ""],
  [runInNewContext("/x/"), ""],
  [["a", /x/], ""],
  [{ b: { c: /x/ } }, ".b.c"],
  [{ $in: ["a", /x/] }, ".$in[1]"],
  [{ $nin: [/x/] }, ".$nin[0]"],
  [{ $in: [["a", /x/]] }, ".$in[0]"],
  [{ $contains: /x/ }, ".$contains"],
  [{ $notContains: /x/ }, ".$notContains"],
  [{ $contains: { b: /x/ } }, ".$contains"],
  [{ $not: /x/ }, ".$not"],
  [{ $and: [{ b: /x/ }] }, ".$and[0].b"],
  [{ $not: { $or: [{ $in: [/x/] }] } }, ".$not.$or[0].$in[0]"],
])
  refuse(INVALID, { a: given }, startsWith(`where.a${place}`), /RegExp/, /\$startsWith.*kv\.search.*\$eq/)

class Meters extends Number {}
// Seen to fail: a function and a Promise could "not be stored", with no word of what to do.
for (const [make, ...said] of [
  [() => () => 1, /function/, /read the entries/],
  [() => class {}, /function/],
  [() => Symbol("a"), /symbols cannot be stored.*give a value/],
  [() => Promise.resolve(1), /Promise; await it/],
  [() => new String("a"), /give the primitive/],
  [() => new Meters(1), /give the primitive/],
  [() => new Custom(), /instances of Custom cannot be stored.*give a value/],
  [() => new URL("https://example.com"), /instances of URL cannot be stored/],
  [() => new WeakMap(), /instances of WeakMap/],
  [() => new (class extends Date {})(0), /cannot be stored/],
  [() => [new Custom()], /instances of Custom/],
  [() => new Map([["a", () => 1]]), /functions cannot be stored/],
  [() => revoked(), /revoked/],
])
  for (const [wrap, place] of [
    [(one) => one, ""],
    [(one) => ({ $eq: one }), ".$eq"],
    [(one) => ({ $ne: one }), ".$ne"],
    [(one) => ({ $gt: one }), ".$gt"],
    [(one) => ({ $in: [1, one] }), ".$in[1]"],
    [(one) => ({ $contains: one }), ".$contains"],
    [(one) => ({ $not: { $eq: one } }), ".$not.$eq"],
    [(one) => ({ $or: [{ b: one }] }), ".$or[0].b"],
  ])
    rows.push([() => ({ a: wrap(make()) }), INVALID, startsWith(`where.a${place}`, ""), ...said])
refuseAnywhere({ $gt: 1, b: 2 }, "", /side by side/, /\$and/)
refuseAnywhere({ c: { d: { $lt: 1, e: 5 } } }, ".c.d", /side by side/)
refuseAnywhere({ b: 2, $or: [{ a: 1 }], $gt: 1 }, "", /side by side/)
refuseAnywhere({ b: 2, $orr: [{ a: 1 }] }, ".$orr", /did you mean \$or/)
refuseAnywhere({ c: undefined }, ".c", /undefined/, /\$null/)
refuseAnywhere({ [Symbol("or")]: 1, c: 1 }, "", /Symbol\(or\)/)

for (const several of ["$and", "$or"]) {
  refuseAnywhere({ [several]: [] }, `.${several}`, /empty/)
  for (const none of [{}, { a: 1 }, null, 5, "a", true])
    refuseAnywhere({ [several]: none }, `.${several}`, /array of conditions/)
  for (const none of [null, 5, "a", [], [{ a: 1 }], new Date(0), new Map()])
    refuseAnywhere({ [several]: [{ a: 1 }, none] }, `.${several}[1]`, /no condition/)
  refuseAnywhere({ [several]: [{ a: 1 }, {}] }, `.${several}[1]`, /empty/)
  refuseAnywhere({ [several]: [undefined] }, `.${several}[0]`, /undefined/)
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
  refuseAnywhere({ [several]: [, { a: 1 }] }, `.${several}[0]`, /undefined/)
}
for (const none of [null, 5, "a", [], [{ a: 1 }], true, new Date(0)])
  refuseAnywhere({ $not: none }, ".$not", /condition/)
refuseAnywhere({ $not: {} }, ".$not", /empty/)

for (const name of [
  "$eq",
  "$ne",
  "$gt",
  "$gte",
  "$lt",
  "$lte",
  "$contains",
  "$notContains",
  "$startsWith",
  "$endsWithi",
])
  refuseAnywhere({ [name]: undefined }, `.${name}`, /undefined/)
for (const name of ["$gt", "$gte", "$lt", "$lte"])
  for (const none of [null, true, [], [1], {}, { $eq: 1 }, Uint8Array.of(1), new Map(), /a/])
    refuseAnywhere({ [name]: none }, `.${name}`, /no order/)
for (const none of [null, 5, "ab", {}, [], [1], [1, 2, 3]])
  refuseAnywhere({ $between: none }, ".$between", /\[from, to\]/)
refuseAnywhere({ $between: [1, null] }, ".$between[1]", /no order/)
refuseAnywhere({ $between: [undefined, 1] }, ".$between[0]", /undefined/)
for (const name of ["$in", "$nin"]) {
  for (const none of [null, 5, "ab", {}, { 0: 1, length: 1 }, new Set([1])])
    refuseAnywhere({ [name]: none }, `.${name}`, /array of values/)
  refuseAnywhere({ [name]: [1, undefined] }, `.${name}[1]`, /undefined/)
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
  refuseAnywhere({ [name]: [1, , 2] }, `.${name}[1]`, /undefined/)
  refuse(
    LIMIT,
    { a: { [name]: of(1001, Number) } },
    /^where\.a\.\$n?in: 1001 values are over the limit of 1000/,
  )
}
for (const name of ["$startsWith", "$endsWith", "$containsi", "$notContainsi", "$startsWithi", "$endsWithi"])
  for (const none of [null, 5, 5n, true, {}, ["a"], /a/, Uint8Array.of(97), new Date(0)])
    refuseAnywhere({ [name]: none }, `.${name}`, /string/)
for (const name of ["$null", "$notNull", "$empty", "$notEmpty"])
  for (const none of [null, 0, 1, "true", {}, []])
    refuseAnywhere({ [name]: none }, `.${name}`, /true or false/)

for (const path of [
  "",
  ".",
  "a.",
  ".a",
  "a..b",
  "[0]",
  "a[",
  "a[]",
  "a[-1]",
  "a[1.5]",
  "a[x]",
  "a[0]b",
  "a[+1]",
  "a[99999999999999999999]",
  "a[ 1]",
  "a][",
])
  refuse(INVALID, { [path]: 1 }, /no path/)
refuse(INVALID, { b: { "a[x]": 1 } }, /^where\.b\.a\[x\]: /, /no path/)

refuse(INVALID, { a: new Custom() }, /^where\.a: /, /Custom/)
refuse(INVALID, { a: { $eq: () => 1 } }, /^where\.a\.\$eq: /, /function/)
refuse(INVALID, { a: { $in: [1, Symbol("a")] } }, /^where\.a\.\$in\[1\]: /, /symbol/)
refuse(INVALID, { a: { $eq: { b: [undefined] } } }, /^where\.a\.\$eq\.b\[0\]: /, /undefined/)
refuse(INVALID, { a: Promise.resolve(1) }, /^where\.a: /)
rows.push(
  [(kv) => ({ a: { $eq: [kv.now()] } }), INVALID, /^where\.a\.\$eq: kv\.now\(\)/],
  [(kv) => ({ a: { $contains: kv.now() } }), INVALID, /^where\.a\.\$contains: kv\.now\(\)/],
  [(kv) => ({ a: { $startsWith: kv.now() } }), INVALID, /string/],
  [(kv) => ({ a: kv.uuidv7() }), INVALID, /^where\.a: /, /uuidv7/],
  [(kv) => ({ a: kv.commitVersionstamp() }), INVALID, /^where\.a: /],
)

refuse(INVALID, loop, /^where\.a\.\$or\[0\]: /, /cycle/)
refuse(INVALID, { a: { $eq: ring } }, /^where\.a\.\$eq\[0\]: /, /cycle/)
refuse(
  LIMIT,
  { $or: of(1000, (a) => ({ a })) },
  /^where: 1001 conditions are over the limit of 1000 conditions/,
)
refuse(LIMIT, Object.fromEntries(of(1000, (at) => [`f${at}`, 1])), /1001/, /1000/)
for (const wrap of [not, and, field])
  refuse(LIMIT, nest(101, wrap, { a: 1 }), /10[12] levels are over the limit of 100 levels/)
refuse(LIMIT, nest(100_000, not, { a: 1 }), /levels/)
refuse([LIMIT, INVALID], { a: { $eq: nest(100_000, (inner) => [inner], 1) } }, /levels/)

export const filters = rows

/** At a limit, and of nothing that is there. */
export const atTheLimit = [
  { $and: of(499, (at) => ({ x: at })) },
  { x: { $in: of(1000, String) } },
  nest(98, and, { x: 1 }),
  nest(98, not, { x: 1 }),
  nest(98, field, { x: 1 }),
  nest(97, and, { x: { $eq: nest(99, (inner) => ({ inner }), 1) } }),
  nest(97, and, { x: { $eq: nest(99, (inner) => new Map([[1, inner]]), 1) } }),
]

export const misspelt = {
  $eqq: "$eq",
  $EQ: "$eq",
  $neq: "$ne",
  $betwen: "$between",
  $notnull: "$notNull",
  $startswith: "$startsWith",
  $endWith: "$endsWith",
  $contain: "$contains",
  $startWithi: "$startsWithi",
  $isNull: "$null",
  $starsWith: "$startsWith",
}
