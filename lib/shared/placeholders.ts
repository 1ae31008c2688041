/** Placeholders in keys and values for something that is known only later. */

import type {
  Duration,
  KvNow,
  KvNowMethods,
  KvUuidPlaceholder,
  KvVersionstampPlaceholder,
} from "../../index.js"
import { refuseExtra } from "./options.js"

export class UuidPlaceholder implements KvUuidPlaceholder {
  get [Symbol.toStringTag](): "KvUuidPlaceholder" {
    return "KvUuidPlaceholder"
  }
}

export class VersionstampPlaceholder implements KvVersionstampPlaceholder {
  get [Symbol.toStringTag](): "KvVersionstampPlaceholder" {
    return "KvVersionstampPlaceholder"
  }
}

export const UUIDV7: UuidPlaceholder = Object.freeze(new UuidPlaceholder())
export const COMMIT_VERSIONSTAMP: VersionstampPlaceholder = Object.freeze(new VersionstampPlaceholder())

/** Milliseconds of a duration; `name` is the argument's, for the error. */
export type ParseDuration = (duration: Duration, name: string) => number

/**
 * For users. It is an object that arithmetic takes for a number, which TypeScript allows to numbers alone.
 */
export function createNow(clock: () => number, parse: ParseDuration, offsetMs = 0): KvNow {
  return new Now(clock, parse, offsetMs) as unknown as KvNow
}

/** A clock's time plus an offset, read each time that it is used. */
export class Now implements KvNowMethods {
  readonly #clock: () => number
  readonly #parse: ParseDuration
  readonly #offsetMs: number

  constructor(clock: () => number, parse: ParseDuration, offsetMs = 0) {
    this.#clock = clock
    this.#parse = parse
    this.#offsetMs = offsetMs
  }

  add(duration: Duration, ...extra: unknown[]): KvNow {
    refuseExtra(extra)
    return createNow(this.#clock, this.#parse, this.#offsetMs + this.#parse(duration, "duration"))
  }

  sub(duration: Duration, ...extra: unknown[]): KvNow {
    refuseExtra(extra)
    return createNow(this.#clock, this.#parse, this.#offsetMs - this.#parse(duration, "duration"))
  }

  /** For filters, whose time is read where the data is. */
  static offsetMs(now: Now): number {
    return now.#offsetMs
  }

  valueOf(): number {
    return this.#clock() + this.#offsetMs
  }

  toJSON(): number {
    return this.valueOf()
  }

  [Symbol.toPrimitive](hint: string): number | string {
    return hint === "string" ? String(this.valueOf()) : this.valueOf()
  }

  get [Symbol.toStringTag](): "KvNow" {
    return "KvNow"
  }
}
