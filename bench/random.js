/**
 * A seeded generator, so that every peer draws the same keys and values (xoshiro128**, Blackman and Vigna).
 */
export class Random {
  #state

  /** @param {number} seed a 32-bit integer */
  constructor(seed) {
    this.#state = Uint32Array.from({ length: 4 }, (_, i) => mix(seed + Math.imul(i + 1, 0x9e3779b9)))
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32() {
    const s = this.#state
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0
    const t = s[1] << 9
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = rotate(s[3], 11)
    return result
  }

  /** A whole number from 0 to `limit - 1`; all of them come up. */
  below(limit) {
    return Math.floor((this.uint32() / 2 ** 32) * limit)
  }

  /** `length` random hexadecimal digits, at most 8 a draw. */
  hex(length) {
    let text = ""
    while (text.length < length) text += this.uint32().toString(16).padStart(8, "0")
    return text.slice(0, length)
  }
}

function rotate(word, bits) {
  return (word << bits) | (word >>> (32 - bits))
}

/** The finalizer of MurmurHash3: spreads seeds that lie close together. */
function mix(word) {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
