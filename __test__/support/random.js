/** A small generator with a seed (mulberry32), so that a run can be repeated. */
export class Random {
  #state

  constructor(seed) {
    this.#state = seed >>> 0
  }

  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `below - 1`. */
  int(below) {
    return Math.floor(this.next() * below)
  }

  chance(probability) {
    return this.next() < probability
  }

  pick(items) {
    return items[this.int(items.length)]
  }

  many(count, make) {
    return Array.from({ length: count }, () => make())
  }

  shuffle(items) {
    const mixed = [...items]
    for (let at = mixed.length - 1; at > 0; at--) {
      const other = this.int(at + 1)
      ;[mixed[at], mixed[other]] = [mixed[other], mixed[at]]
    }
    return mixed
  }
}
