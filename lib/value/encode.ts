import { invalidArgument, limitExceeded } from "../shared/errors.js"
import { isRevokedProxy, viewKind } from "../shared/kinds.js"
import { MAX_VALUE_BYTES } from "../shared/limits.js"
import { KvU64 } from "../shared/u64.js"
import { copyOf } from "./bytes.js"
import { plainText } from "./plain.js"
import { BYTES, type Encoding, JSON_TEXT, TAGGED_JSON, U64, U64_BYTES } from "./tags.js"
import { UUID_TEXT_CHARS, Writer } from "./writer.js"

/** A value as it is stored: text for the encodings 0 and 1, bytes for 2 and 3. */
export interface Encoded {
  encoding: Encoding
  data: string | Uint8Array
}

/** A value that holds a `uuidv7()`: all of it was read, only the UUID is missing. */
export class LateValue {
  readonly encoding: 0 | 1
  readonly #parts: readonly string[]

  constructor(encoding: 0 | 1, parts: readonly string[]) {
    this.encoding = encoding
    this.#parts = parts
  }

  /** The value with this UUID in every place. */
  resolve(uuid: string): Encoded {
    return { encoding: this.encoding, data: this.#parts.join(JSON.stringify(uuid)) }
  }
}

/**
 * Reads a value, once and at once. `name` is the argument's name, with which paths in errors begin. An object
 * that is in it several times is one again when it is read, unless it is written `asTree`: then each place
 * has one of its own, and a cycle is refused.
 *
 * @throws {KvError} `INVALID_ARGUMENT` for what cannot be stored, `LIMIT_EXCEEDED` for size and nesting.
 */
export function encodeValue(value: unknown, name: string, asTree = false): Encoded | LateValue {
  const text = plainText(value, name, asTree)
  if (text === undefined) return encodeBinary(value, name) ?? encodeRich(value, name, asTree)
  checkBytes(name, [text])
  return { encoding: JSON_TEXT, data: text }
}

function encodeRich(value: unknown, name: string, asTree: boolean): Encoded | LateValue {
  const writer = new Writer(name, asTree)
  writer.write(value)
  const encoding = writer.tagged ? TAGGED_JSON : JSON_TEXT
  const { parts } = writer
  checkBytes(name, parts)
  const [text] = parts
  if (text === undefined || parts.length > 1) return new LateValue(encoding, parts)
  return { encoding, data: text }
}

/** The text of a value that others are compared with, with tags: bytes and counters too. */
export function encodeFilterValue(value: unknown, name: string): string {
  const refused = "cannot be stored, so no entry has one; give a value that can be stored"
  const writer = new Writer(name, true, refused)
  writer.write(value)
  const [text, ...rest] = writer.parts
  if (text === undefined || rest.length > 0)
    throw invalidArgument(`${name}: uuidv7() is only known in a commit; give a value`)
  return text
}

/** Rust counts again; here a text is refused before it is copied there. */
function checkBytes(name: string, parts: readonly string[]): void {
  let size = (parts.length - 1) * UUID_TEXT_CHARS
  for (const part of parts) size += part.length
  if (size * 3 <= MAX_VALUE_BYTES) return // A code unit is at most three bytes.
  for (const part of parts) size += Buffer.byteLength(part) - part.length
  checkSize(name, size)
}

function checkSize(name: string, size: number): void {
  if (size > MAX_VALUE_BYTES) throw limitExceeded(name, size, MAX_VALUE_BYTES, "bytes")
}

function encodeBinary(value: unknown, name: string): Encoded | undefined {
  if (typeof value !== "object" || value === null || isRevokedProxy(value)) return undefined
  if (value instanceof KvU64) return { encoding: U64, data: littleEndian(value.value) }
  if (viewKind(value) !== "Uint8Array") return undefined
  checkSize(name, (value as Uint8Array).byteLength)
  const bytes = copyOf(value as Uint8Array)
  if (bytes === undefined) throw invalidArgument(`${name}: views of a detached buffer cannot be stored`)
  return { encoding: BYTES, data: bytes }
}

function littleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(U64_BYTES)
  new DataView(bytes.buffer).setBigUint64(0, value, true)
  return bytes
}
