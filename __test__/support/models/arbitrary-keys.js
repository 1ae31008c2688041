import fc from "fast-check"

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom("\0", "1", "0", "a", "\u00ff", "\u{10ffff}"), maxLength: 3 }),
  fc.string({ unit: "binary", maxLength: 12 }),
)
const number = fc.oneof(fc.constantFrom(0, -0, 1, 10, -1, Number.NaN, Number.POSITIVE_INFINITY), fc.double())
const bigint = fc.oneof(
  fc.bigInt({ min: -300n, max: 300n }),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
  fc.bigInt({ min: -(2n ** 3000n), max: 2n ** 3000n }),
)
const bytes = fc.oneof(fc.uint8Array({ maxLength: 3, max: 1 }), fc.uint8Array({ maxLength: 12 }))

/** A part of a key, of any type, with many near collisions. */
export const keyPart = fc.oneof(text, number, bigint, bytes, fc.boolean())

/** A key of 1 to 4 parts. */
export const key = fc.array(keyPart, { minLength: 1, maxLength: 4 })

/** Parts that meet one another often: keys of them share prefixes. */
const common = fc.constantFrom("t", "1", "10", "", "\0", 1, 10, 0, -0, 1n, 10n, 0n, -1n, true, false)
const commonBytes = fc.constantFrom([], [0], [0, 255], [1], [255]).map((list) => Uint8Array.from(list))
export const closeKey = fc.array(fc.oneof(common, commonBytes, keyPart), { minLength: 1, maxLength: 4 })
