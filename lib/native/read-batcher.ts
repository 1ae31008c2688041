/** The gets of one tick, which cross together and are answered from one snapshot. */

import type { KvEntryMaybe, KvKey } from "../../index.js"
import { closed } from "../shared/errors.js"
import { microtask, turn } from "../shared/host.js"
import { copyKey, copyKeys } from "../shared/keys.js"
import { isList } from "../shared/kinds.js"
import { Answer, beneath, originOf } from "../shared/stacks.js"
import { isUnparsed, type Parcel, parcelOf, readKnown } from "../wire/page.js"
import { callNative, fromNative } from "./addon.js"
import type { Bridge } from "./bridge.js"
import type { TurnSnapshot } from "./turn-snapshot.js"

/** A `get` or a `getMany` of this tick: how many of the tick's keys are its own. */
interface Waiting {
  count: number
  single: boolean
  answer: Answer<unknown>
}

export class ReadBatcher {
  readonly #bridge: Bridge
  readonly #snapshot: TurnSnapshot
  readonly #keysOnly: boolean
  readonly #reader: { page(parcel: Parcel, keys: readonly KvKey[]): KvEntryMaybe[] }
  #waiting: Waiting[] = []
  #keys: KvKey[] = []

  /** `keysOnly`: it reads no values. */
  constructor(bridge: Bridge, snapshot: TurnSnapshot, keysOnly: boolean) {
    this.#bridge = bridge
    this.#snapshot = snapshot
    this.#keysOnly = keysOnly
    this.#reader = { page: (parcel, keys) => readKnown(parcel, keys, keysOnly) }
  }

  get<T>(key: KvKey): Promise<KvEntryMaybe<T>> {
    try {
      if (this.#bridge.closed) throw closed()
      this.#keys.push(checkedKey(key))
    } catch (error) {
      return Promise.reject(beneath(error, this.get))
    }
    return this.#read(1, true, new Answer<KvEntryMaybe<T>>(originOf(true)))
  }

  /** Throws what is wrong with the keys. */
  getMany<T>(keys: readonly KvKey[]): Promise<KvEntryMaybe<T>[]> {
    if (this.#bridge.closed) throw closed()
    const copies = copyKeys(keys, checkedKey)
    this.#keys.push(...copies)
    return this.#read(copies.length, false, new Answer<KvEntryMaybe<T>[]>(originOf(false)))
  }

  #read<R>(count: number, single: boolean, answer: Answer<R>): Promise<R> {
    if (this.#waiting.push({ count, single, answer: answer as Answer<unknown> }) === 1) this.#schedule()
    return answer.promise
  }

  #schedule(): void {
    const { budget } = this.#bridge
    if (!budget.isSpent) {
      microtask(this.flush)
      return
    }
    budget.renew()
    turn(this.flush)
  }

  readonly flush = (): void => {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    const keys = this.#keys
    this.#waiting = []
    this.#keys = []
    this.#snapshot.count()
    this.#answer(waiting, keys)
  }

  /** `isAgain`: a value among them is no JSON, and is to be named. */
  #answer(waiting: Waiting[], keys: readonly KvKey[], isAgain = false): void {
    const bridge = this.#bridge
    const id = bridge.nextId()
    bridge.budget.consume(keys.length)
    const many = waiting.length > 1 || waiting[0]?.single === false
    try {
      const handle = bridge.handleWhileClosing
      if (isAgain) handle.checkValues()
      const packet = handle.readBatch(id, keys, many, this.#keysOnly)
      if (packet !== undefined) {
        settle(waiting, readKnown(parcelOf(packet), keys, this.#keysOnly))
        return
      }
    } catch (error) {
      this.#refuse(waiting, keys, fromNative(error), isAgain)
      return
    }
    bridge.expect(id, keys, this.#reader).then(
      (entries) => settle(waiting, entries),
      (error) => this.#refuse(waiting, keys, error, isAgain),
    )
  }

  /**
   * One of several is no key, or meets what cannot be read: each is read alone, so that the others get their
   * answers.
   */
  #refuse(waiting: Waiting[], keys: readonly KvKey[], error: unknown, isAgain: boolean): void {
    const isClosed = this.#bridge.closed
    if (!isAgain && isUnparsed(error) && !isClosed) {
      this.#answer(waiting, keys, true)
      return
    }
    if (waiting.length === 1 || isClosed) {
      for (const { answer } of waiting) answer.reject(error)
      return
    }
    let first = 0
    for (const one of waiting) {
      this.#answer([one], keys.slice(first, first + one.count))
      first += one.count
    }
  }
}

/** As long as this no limit is near. */
const SHORT_PART_UNITS = 256
const FEW_PARTS = 20

/**
 * A copy of a key, which throws while the caller is on the stack if it is none: Rust encodes it only at the
 * end of the tick. One of few short parts needs no look by Rust, so that most keys cost nothing here.
 */
function checkedKey(key: KvKey, place?: string): KvKey {
  const made: unknown = isList(key) && key.length > 0 && key.length <= FEW_PARTS && key.constructor
  if (made !== Array) return lookedAt(key, place)
  const copy = key.slice()
  for (let at = 0; at < copy.length; at++) {
    const part = copy[at]
    const isShort = typeof part === "string" ? part.length <= SHORT_PART_UNITS : typeof part === "number"
    if (!isShort && typeof part !== "boolean") return lookedAt(key, place)
  }
  return copy
}

function lookedAt(key: KvKey, place?: string): KvKey {
  const copy = copyKey(key)
  callNative((addon) => addon.encodeKey(copy), place)
  return copy
}

function settle(waiting: readonly Waiting[], entries: readonly KvEntryMaybe[]): void {
  let first = 0
  for (const { count, single, answer } of waiting) {
    answer.resolve(single ? entries[first] : entries.slice(first, first + count))
    first += count
  }
}
