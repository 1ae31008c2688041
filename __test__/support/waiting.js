import { inspect } from "node:util"

/** How long a test waits for something that must come. It is far more than anything takes. */
const TIMEOUT_MS = 60_000

/**
 * Settles as the promise does, or fails when patience ends; `what` is text, or a function that makes it then.
 */
export async function within(promise, what = "what was awaited", ms = TIMEOUT_MS) {
  let timer
  const late = new Promise((_, reject) => {
    const description = () => (typeof what === "function" ? what() : what)
    timer = setTimeout(() => reject(new Error(`after ${ms} ms there is still not: ${description()}`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Asks until the answer is true or patience ends; gives the answer. For what no event tells. */
export async function eventually(check, what = check) {
  const end = performance.now() + TIMEOUT_MS
  let last
  while (performance.now() < end) {
    last = await check()
    if (last) return last
    await pause(2)
  }
  throw new Error(`never came true: ${what}; at last ${inspect(last)}`)
}

/** A promise and what settles it. */
export function deferred() {
  const parts = {}
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

/** A gate that callbacks wait at; it begins shut. */
export class Gate {
  #opened = deferred()

  pass() {
    return this.#opened.promise
  }

  open() {
    this.#opened.resolve()
  }
}

/** What callbacks have said, in order; a test awaits it. */
export class Inbox {
  all = []
  #read = 0
  #waiting = []
  #failure

  put(item) {
    this.all.push(item)
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  get failure() {
    return this.#failure
  }

  /** Makes the test that waits fail: an assertion inside a callback would be reported to `onError` alone. */
  fail(error) {
    this.#failure ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }

  #more() {
    if (this.#failure) throw this.#failure
    const waiter = deferred()
    this.#waiting.push(waiter)
    return waiter.promise
  }

  /** The next that was not read yet. */
  async next(what = "the next one") {
    const got = async () => {
      while (this.#read >= this.all.length) await this.#more()
      return this.all[this.#read++]
    }
    return within(got(), () => `${what}; so far ${inspect(this.all.slice(-5), { depth: 4 })}`)
  }

  /** The next `count`. */
  async take(count) {
    const items = []
    while (items.length < count) items.push(await this.next(`item ${items.length + 1} of ${count}`))
    return items
  }

  /** Waits until a predicate of everything that was put is true. */
  async until(predicate, what = predicate) {
    const reached = async () => {
      while (!predicate(this.all)) await this.#more()
      this.#read = this.all.length
    }
    await within(
      reached(),
      () => `${what}; ${this.all.length} so far: ${inspect(this.all.slice(-3), { depth: 4 })}`,
    )
    return this.all
  }
}
