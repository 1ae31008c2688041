/**
 * The lifetime of a `Kv` that is not closed: it lives while the program refers to it, or while something of
 * it runs. Rust wakes it through a function that the runtime never collects, so that function must not refer
 * to the `Kv`: it refers to a `Lifetime`, which does so only while a call is pending or a subscriber waits
 * for notices.
 */

import { type NativeHandle, native } from "./addon.js"

/** The woken object. Everything that a `Kv` returns (lists, transactions, locks, …) refers to it. */
interface Woken {
  drain(): void
}

export class Lifetime {
  readonly #woken: WeakRef<Woken>
  /** The same, while something of it runs. */
  #running: Woken | undefined
  /** Called in its place when it was collected. */
  #onMail: (() => void) | undefined

  constructor(woken: Woken) {
    this.#woken = new WeakRef(woken)
  }

  /** The function that Rust calls. Not a closure made within reach of the `Kv`, which would refer to it. */
  static wakeOf(lifetime: Lifetime): () => void {
    return () => lifetime.#wake()
  }

  #wake(): void {
    const woken = this.#running ?? this.#woken.deref()
    if (woken !== undefined) woken.drain()
    else this.#onMail?.()
  }

  /** Something runs that must continue without references to the `Kv`, or nothing does any more. */
  run(woken: Woken | undefined): void {
    this.#running = woken
  }

  /** Closes it when it is collected; `released` is called when its file is released. */
  static begin(woken: Woken, lifetime: Lifetime, handle: NativeHandle, released: () => void): void {
    COLLECTED.register(woken, { lifetime, handle, released }, woken)
  }

  /** It closes by itself. */
  static end(woken: Woken): void {
    COLLECTED.unregister(woken)
  }

  /**
   * Closes the remains of a collected `Kv`. No call of it was pending, so its writes are committed, and the
   * only mail still to come is the end of the closing.
   */
  static closeCollected({ lifetime, handle, released }: Left): void {
    const mailbox = handle.mailboxNumber
    lifetime.#onMail = () => {
      if (native.drain(mailbox) === undefined) return
      handle.release()
      released()
    }
    handle.close(CLOSE_ID)
  }
}

/** The remains of a collected `Kv`. */
interface Left {
  lifetime: Lifetime
  handle: NativeHandle
  released: () => void
}

const CLOSE_ID = 1
const COLLECTED = new FinalizationRegistry<Left>((left) => Lifetime.closeCollected(left))
