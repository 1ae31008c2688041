import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs"

// The format of the control file: the same numbers stand in shim.c.
const KINDS = ["db", "wal", "shm", "other", "folder"]
const OPERATIONS = ["sync", "write", "read", "truncate", "open", "unlink", "rename", "mkdir", "lock"]
const FIELDS = ["calls", "injected", "first", "last", "perMillion", "error", "isShort", "delayUs", "kills"]
const HEAD = { changes: 0, killAt: 4, seed: 8 }
const HEAD_BYTES = 16
const FILE_BYTES = 4096
const EVER = 2 ** 31 - 1
/** Of Linux; Bun has no `os.constants.errno` for some. */
const ERRORS = { EIO: 5, ENOSPC: 28, EMFILE: 24, ENFILE: 23, EACCES: 13, EROFS: 30, EDQUOT: 122, ENOLCK: 37 }

/**
 * Which operations fail. It takes effect at once, in every process under the shim; a process under the shim
 * may use one itself. Kinds of file: `db` (the name ends in .db), `wal`, `shm`, `folder` (its sync), `other`.
 * Operations: `sync`, `write`, `read`, `truncate`, `open`, `unlink`, `rename` (and link), `mkdir`, `lock`
 * (taking one).
 */
export class Control {
  #file

  constructor(path) {
    this.#file = openSync(path, "r+")
  }

  static create(path, seed = 1) {
    writeFileSync(path, Buffer.alloc(FILE_BYTES))
    const control = new Control(path)
    control.#put(HEAD.seed, seed)
    return control
  }

  /**
   * Makes the `nth` call from now fail, and `times` calls in all (`Infinity`: every later one); or, with
   * `rate`, that share of all calls at random. A short write (`short`) writes a part, and then fails. A sync
   * that `kills` fails, and the process is killed before it gets the error.
   */
  fail(operation, kind, { nth, times = 1, rate = 0, errno = "EIO", short = false, kills = false } = {}) {
    if (!Object.hasOwn(ERRORS, errno)) throw new TypeError(`unknown errno ${errno}`)
    const first = rate > 0 && nth === undefined ? 0 : this.calls(operation, kind) + (nth ?? 1)
    const set = (field, value) => this.#put(this.#at(operation, kind, field), value)
    set("first", 0)
    set("error", ERRORS[errno])
    set("isShort", short ? 1 : 0)
    set("kills", kills ? 1 : 0)
    set("last", Math.min(EVER, first + times - 1))
    set("perMillion", Math.round(rate * 1e6))
    set("first", first)
  }

  /** Delays each of these calls. */
  delay(operation, kind, ms) {
    this.#put(this.#at(operation, kind, "delayUs"), Math.round(ms * 1000))
  }

  /**
   * SIGKILL instead of the nth change from now: of a create, write, truncate, sync, unlink, rename, link or
   * mkdir.
   */
  killAt(nth) {
    this.#put(HEAD.killAt, this.changes + nth)
  }

  /** Ends all failures, delays and kills. The counts remain. */
  clear() {
    this.#put(HEAD.killAt, 0)
    const ordered = ["first", "perMillion", "delayUs"]
    for (const operation of OPERATIONS)
      for (const kind of KINDS) for (const field of ordered) this.#put(this.#at(operation, kind, field), 0)
  }

  /** Calls so far, including those while nothing had to fail. */
  calls(operation, kind) {
    return this.#get(this.#at(operation, kind, "calls"))
  }

  /** Calls that were made to fail. */
  injected(operation, kind) {
    return this.#get(this.#at(operation, kind, "injected"))
  }

  /** Changes so far, which `killAt` counts. */
  get changes() {
    return this.#get(HEAD.changes)
  }

  close() {
    closeSync(this.#file)
  }

  #at(operation, kind, field) {
    const [row, column] = [OPERATIONS.indexOf(operation), KINDS.indexOf(kind)]
    if (row < 0) throw new TypeError(`unknown operation ${operation}: ${OPERATIONS.join(", ")}`)
    if (column < 0) throw new TypeError(`unknown kind ${kind}: ${KINDS.join(", ")}`)
    // The shim counts its kinds from 1.
    const rule = row * (KINDS.length + 1) + column + 1
    return HEAD_BYTES + 4 * (rule * FIELDS.length + FIELDS.indexOf(field))
  }

  #get(at) {
    const bytes = Buffer.alloc(4)
    readSync(this.#file, bytes, 0, 4, at)
    return bytes.readInt32LE()
  }

  #put(at, value) {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32LE(value)
    writeSync(this.#file, bytes, 0, 4, at)
  }
}
