import { openSync, readFileSync, writeSync } from "node:fs"

// The format of the log: the same numbers stand in shim.c.
const MAGIC = 0x4b56464c
const HEAD_BYTES = 40
const TYPES = {
  1: "create",
  2: "found",
  3: "write",
  4: "truncate",
  5: "sync",
  6: "unlink",
  7: "rename",
  8: "link",
  9: "mkdir",
  10: "rmdir",
  11: "mark",
}
const MARK = 11
const KINDS = ["", "db", "wal", "shm", "other", "folder"]

/**
 * An operation or a mark, in order.
 *
 * @typedef {object} Event
 * @property {"create" | "found" | "write" | "truncate" | "sync" | "unlink" | "rename" | "link" | "mkdir" |
 * "rmdir" | "mark"} type `found` is an open of a file that was there
 * @property {"" | "db" | "wal" | "shm" | "other" | "folder"} kind
 * @property {number} result of a sync: 0, or the error below 0
 * @property {number} pid
 * @property {bigint} inode
 * @property {number} offset of a write; the new length of a truncate
 * @property {string} path
 * @property {Buffer} data what was written
 * @property {string} to of a rename and a link: the new path
 * @property {string} text of a mark
 */

/**
 * Reads the complete records of a log. A process that was killed from outside may have left a part of one,
 * which is ignored.
 */
export function readLog(path) {
  const bytes = readFileSync(path)
  const events = []
  const magic = Buffer.alloc(4)
  magic.writeUInt32LE(MAGIC)
  for (let at = 0; at >= 0 && at + HEAD_BYTES <= bytes.length; ) {
    const end = endOf(bytes, at)
    if (end > bytes.length) break
    const next = bytes.subarray(end, end + 4)
    const isWhole = bytes.readUInt32LE(at) === MAGIC && (next.length === 0 || next.equals(magic))
    if (isWhole) events.push(eventOf(bytes, at))
    at = isWhole ? end : bytes.indexOf(magic, at + 1)
  }
  return events
}

function endOf(bytes, at) {
  return at + HEAD_BYTES + bytes.readUInt32LE(at + 32) + bytes.readUInt32LE(at + 36)
}

function eventOf(bytes, at) {
  const pathBytes = bytes.readUInt32LE(at + 32)
  const from = at + HEAD_BYTES
  const data = bytes.subarray(from + pathBytes, endOf(bytes, at))
  const type = TYPES[bytes.readUInt16LE(at + 4)]
  return {
    type,
    kind: KINDS[bytes.readUInt16LE(at + 6)],
    result: bytes.readInt32LE(at + 8),
    pid: bytes.readInt32LE(at + 12),
    inode: bytes.readBigUInt64LE(at + 16),
    offset: Number(bytes.readBigInt64LE(at + 24)),
    path: bytes.toString("utf8", from, from + pathBytes),
    data,
    to: type === "rename" || type === "link" ? data.toString() : "",
    text: type === "mark" ? data.toString() : "",
  }
}

/**
 * A function that appends a mark. A record is one write at the end of the log, so its place is that of its
 * moment.
 */
export function marker(path) {
  const file = openSync(path, "a")
  return (...words) => {
    const data = Buffer.from(words.join(" "))
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeUInt32LE(MAGIC)
    head.writeUInt16LE(MARK, 4)
    head.writeInt32LE(process.pid, 12)
    head.writeUInt32LE(data.length, 36)
    writeSync(file, Buffer.concat([head, data]))
  }
}
