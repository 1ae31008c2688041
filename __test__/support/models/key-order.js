// The order of keys as the documents say it, by value; it knows nothing of encodings.

function rank(part) {
  if (part instanceof Uint8Array) return 0
  return 1 + ["string", "number", "bigint", "boolean"].indexOf(typeof part)
}

function sign(a, b) {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareNumbers(a, b) {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  if (a === 0 && b === 0) return Number(Object.is(b, -0)) - Number(Object.is(a, -0))
  return sign(a, b)
}

function compareSequences(a, b, compare) {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const order = compare(a[at], b[at])
    if (order !== 0) return order
  }
  return a.length - b.length
}

function comparePoints(a, b) {
  return compareSequences([...a], [...b], (x, y) => x.codePointAt(0) - y.codePointAt(0))
}

export function compareParts(a, b) {
  if (rank(a) !== rank(b)) return rank(a) - rank(b)
  if (a instanceof Uint8Array) return compareSequences(a, b, (x, y) => x - y)
  if (typeof a === "string") return comparePoints(a, b)
  if (typeof a === "number") return compareNumbers(a, b)
  return sign(a, b)
}

export function compareKeys(a, b) {
  return compareSequences(a, b, compareParts)
}

export function isUnder(prefix, key) {
  return key.length > prefix.length && prefix.every((part, at) => compareParts(part, key[at]) === 0)
}

/** Whether a selector of `list` shows this key. */
export function selects({ prefix, start, end }, key) {
  if (prefix && !isUnder(prefix, key)) return false
  if (start && compareKeys(key, start) < 0) return false
  return !(end && compareKeys(key, end) >= 0)
}
