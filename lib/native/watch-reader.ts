/** A watch: Rust keeps its position in the change log; at a notice it is asked for the next batch. */

import type { KvEntryMaybe, KvWatchBatch } from "../../index.js"
import type { ChangeSubscribers } from "../notices/change-subscribers.js"
import { nextTurn } from "../shared/host.js"
import type { Readers, Request, Waiter, WatchReader } from "../transport.js"
import {
  BATCH_AGAIN,
  BATCH_INITIAL,
  BATCH_PRESENT,
  BATCH_RESET,
  REACH_EXACT,
  REACH_TREE,
  REACH_UNDER,
} from "../wire/codes.js"
import { readWatched } from "../wire/page.js"
import type { NativeWatch } from "./addon.js"
import type { Bridge } from "./bridge.js"

const REACHES = { exact: REACH_EXACT, tree: REACH_TREE, under: REACH_UNDER }
const STEP = { page: readWatched<[flags: number, versionstamp: string, dropped: number]> }

export class NativeWatchReader implements WatchReader, Waiter {
  readonly #bridge: Bridge
  readonly #subscribers: ChangeSubscribers
  readonly #native: NativeWatch
  #stopped = false
  #noticed = false
  #wake: (() => void) | undefined

  constructor(bridge: Bridge, subscribers: ChangeSubscribers, request: Request<Readers, "watch">) {
    this.#bridge = bridge
    this.#subscribers = subscribers
    this.#native = bridge.callSync((handle) => handle.watchOpen(request, REACHES[request.reach]))
    subscribers.add(this.#native.id, this)
  }

  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#subscribers.delete(this.#native.id)
    this.#bridge.callWhileClosing((handle) => handle.watchStop(this.#native))
    this.#wake?.()
  }

  notice(): void {
    this.#noticed = true
    this.#wake?.()
  }

  async next<T>(): Promise<KvWatchBatch<T> | undefined> {
    const { budget } = this.#bridge
    while (!this.#stopped) {
      budget.consume(1)
      const turn = budget.yieldIfDue()
      if (turn !== undefined) await turn
      if (this.#stopped) break
      this.#noticed = false
      const step = this.#bridge.ask((handle, id) => handle.watchNext(id, this.#native), undefined, STEP)
      const { rows, tail } = step instanceof Promise ? await step : step
      const [flags, versionstamp, dropped] = tail
      if (this.#stopped) break
      if (flags & BATCH_PRESENT) {
        budget.consume(rows.length)
        const [initial, reset] = [(flags & BATCH_INITIAL) !== 0, (flags & BATCH_RESET) !== 0]
        return { entries: rows as KvEntryMaybe<T>[], versionstamp, initial, reset, dropped }
      }
      if (flags & BATCH_AGAIN) await nextTurn()
      else await this.#sleep()
    }
    return undefined
  }

  async #sleep(): Promise<void> {
    if (!this.#noticed && !this.#stopped) await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = undefined
  }
}
