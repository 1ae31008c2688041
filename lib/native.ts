/** The addon, as `src/binding/handle.rs` makes it. The only module that loads it. */

import type { KvErrorCode } from "../index.js"
import addon from "../native.cjs"
import { KvError } from "./errors.js"

/** A JSON text, `[text, bytes]` where bytes belong to it (mail: and the pages), or nothing: it comes by mail. */
export type Packet = string | [text: string, bytes: Uint8Array, ...pages: string[]] | undefined

/** When a commit issues a versionstamp: always, only if it changes something, or never. */
export const STAMP_ALWAYS = 0
export const STAMP_IF_CHANGED = 1
export const STAMP_NEVER = 2

/** A list: where it stands. */
export type NativeScan = { readonly __scan: unique symbol }

/** A backup under way. */
export type NativeBackup = { readonly __backup: unique symbol }

/** Arguments are `unknown` where Rust checks them. */
export interface NativeHandle {
  readBatch(keys: readonly unknown[], many: boolean, id: number): Packet
  keepSnapshot(): void
  releaseSnapshot(): void
  scan(
    prefix: unknown,
    start: unknown,
    end: unknown,
    cursor: string,
    reverse: boolean,
    keysOnly: boolean,
    batch: number,
  ): NativeScan
  scanPage(scan: NativeScan, limit: number, id: number): Packet
  count(id: number, prefix: unknown, start: unknown, end: unknown): void
  set(
    id: number,
    key: unknown,
    stamped: boolean,
    data: string | Uint8Array,
    encoding: number,
    expiresIn: unknown,
  ): void
  backup(path: string, overwrite: boolean, watched: boolean): NativeBackup
  backupNews(backup: NativeBackup, id: number): void
  stopBackup(backup: NativeBackup): void
  stopBackups(): void
  flush(): void
  begin(): void
  check(key: unknown, versionstamp: unknown): void
  put(key: unknown, stamped: boolean, data: string | Uint8Array, encoding: number, expiresIn: unknown): void
  remove(key: unknown): void
  removeTree(key: unknown): void
  removeRange(prefix: unknown, start: unknown, end: unknown): void
  arithmetic(operation: number, key: unknown, operand: unknown, expiresIn: unknown): void
  splice(front: boolean, key: unknown, data: string, encoding: number, expiresIn: unknown): void
  touch(key: unknown, expiresIn: unknown): void
  submit(id: number, stamping: number): void
  drain(): Packet
  hold(pending: boolean): void
  now(): number
  freezeClock(atMs: number | null): void
  sweep(id: number): void
  close(id: number): void
  release(): void
}

interface Addon {
  Handle: new (
    url: unknown,
    durability: unknown,
    busyTimeout: unknown,
    sweepInterval: unknown,
    changeLog: unknown,
    retention: unknown,
    wake: () => void,
  ) => NativeHandle
  cursorAfter(key: unknown, reverse: boolean): string
  encodeKey(key: unknown): Uint8Array
  decodeKey(bytes: Uint8Array): string
  durationMs(duration: unknown, name: string): number
  uuidv7(): string
  fileId(url: unknown): string | null
  copyId(): string
}

export const native = addon as Addon

const CODES: ReadonlySet<string> = new Set<KvErrorCode>([
  "INVALID_ARGUMENT",
  "LIMIT_EXCEEDED",
  "TYPE_MISMATCH",
  "CLOSED",
  "BUSY",
  "CONFLICT",
  "UNAVAILABLE",
  "CORRUPT",
  "UNSUPPORTED",
])

/** An error that the addon threw, as ours; any other error as it is. */
export function fromNative(error: unknown, place = ""): unknown {
  if (error instanceof KvError || !(error instanceof Error) || !("code" in error)) return error
  const code = String(error.code)
  return CODES.has(code) ? new KvError(code as KvErrorCode, place + error.message) : error
}
