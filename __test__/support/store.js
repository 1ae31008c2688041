import { after, afterEach, before, beforeEach } from "node:test"
import { setClock, sweep } from "../../dist/testing.js"

/**
 * An empty store for each test of the enclosing `describe` (or one for all of them: `per: "suite"`).
 * What a test opens through it is closed, and its files are removed.
 */
export class Store {
  #target
  #options
  #place
  #opened = []

  constructor(target, options) {
    this.#target = target
    this.#options = options
  }

  get url() {
    return this.#place.url
  }

  begin() {
    this.#place = this.#target.place()
    this.kv = this.another()
  }

  async end() {
    for (const kv of this.#opened.splice(0)) await kv.close()
    this.#place.dispose()
  }

  /** One more `Kv` on the same url. */
  another(options) {
    const kv = this.#target.open(this.#place, { ...this.#options, ...options })
    this.#opened.push(kv)
    return kv
  }

  /** Closes and opens again; only where the target is persistent. */
  async reopen(options) {
    for (const kv of this.#opened.splice(0)) await kv.close()
    this.kv = this.another(options)
    return this.kv
  }

  /** Freezes the store's clock. */
  at(ms) {
    setClock(this.kv, ms)
  }

  sweep() {
    return sweep(this.kv)
  }
}

export function useStore(target, { per = "test", options } = {}) {
  const store = new Store(target, options)
  const [begin, end] = per === "test" ? [beforeEach, afterEach] : [before, after]
  begin(() => store.begin())
  end(() => store.end())
  return store
}

/** A time far from the machine's, so that a mistaken use of the system's clock shows. */
export const T0 = 4_000_000_000_000
