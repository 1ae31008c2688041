/** Reads that are answered before the call returns: they hold the thread for as long as they take. */

import type { KvEntryMaybe, KvKey } from "../../index.js"
import { copyKey, copyKeys } from "../shared/keys.js"
import { beneath } from "../shared/stacks.js"
import { isUnparsed, type Packet, parcelOf, readKnown, readOne } from "../wire/page.js"
import { fromNative } from "./addon.js"
import type { Bridge } from "./bridge.js"
import type { TurnSnapshot } from "./turn-snapshot.js"

type Answer = Exclude<Packet, undefined>

export class SyncReads {
  readonly #bridge: Bridge
  readonly #snapshot: TurnSnapshot

  constructor(bridge: Bridge, snapshot: TurnSnapshot) {
    this.#bridge = bridge
    this.#snapshot = snapshot
  }

  get<T>(given: KvKey): KvEntryMaybe<T> {
    try {
      const key = copyKey(given)
      const { handle } = this.#bridge
      this.#snapshot.count()
      const answer = handle.getSync(key)
      const entry = readOne(answer, key)
      return (entry ?? this.#read([key], answer, () => handle.getSync(key))[0]) as KvEntryMaybe<T>
    } catch (error) {
      throw beneath(fromNative(error), this.get)
    }
  }

  getMany<T>(given: readonly KvKey[], keysOnly: boolean): KvEntryMaybe<T>[] {
    try {
      const keys = copyKeys(given)
      const { handle } = this.#bridge
      this.#snapshot.count()
      const answer = handle.getManySync(keys, keysOnly)
      if (keysOnly) return readKnown(parcelOf(answer), keys, true) as KvEntryMaybe<T>[]
      return this.#read(keys, answer, () => handle.getManySync(keys, false)) as KvEntryMaybe<T>[]
    } catch (error) {
      throw beneath(fromNative(error), this.getMany)
    }
  }

  /** Reads an answer. A value that is no JSON spoils all of it: asked again, Rust looks at each. */
  #read(keys: readonly KvKey[], answer: Answer, again: () => Answer): KvEntryMaybe[] {
    try {
      return readKnown(parcelOf(answer), keys)
    } catch (error) {
      if (!isUnparsed(error)) throw error
    }
    this.#bridge.handle.checkValues()
    return readKnown(parcelOf(again()), keys)
  }
}
