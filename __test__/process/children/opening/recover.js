// bun recover.js <file>: does what a process does that recovers the write-ahead log after a crash, for as
// long as it is wanted: it holds the locks of the writer and of the recovery, and the index of the log is not
// whole. Linux only. Ends at the end of stdin.
import { dlopen, ptr } from "bun:ffi"
import { openSync, readdirSync, writeSync } from "node:fs"
import { hear, print } from "../lines.js"

const FCNTL_SET_LOCK = 6
const [WRITE_LOCK, UNLOCK] = [1, 2]
/** Bytes of the `-shm` file, by SQLite's wal.c. */
const [WRITER_BYTE, RECOVERY_BYTE] = [120, 122]

const musl = readdirSync("/lib").find((name) => name.startsWith("libc.musl-"))
const { symbols } = dlopen(musl ?? "libc.so.6", { fcntl: { args: ["i32", "i32", "ptr"], returns: "i32" } })
const index = openSync(`${process.argv[2]}-shm`, "r+")

/** `struct flock` of 64-bit Linux. */
function lock(type, byte) {
  const wanted = new DataView(new ArrayBuffer(32))
  wanted.setInt16(0, type, true)
  wanted.setBigInt64(8, BigInt(byte), true)
  wanted.setBigInt64(16, 1n, true)
  if (symbols.fcntl(index, FCNTL_SET_LOCK, ptr(wanted.buffer)) !== 0)
    throw new Error(`byte ${byte} is locked`)
}

for (const byte of [WRITER_BYTE, RECOVERY_BYTE]) lock(WRITE_LOCK, byte)
writeSync(index, Buffer.alloc(96, 0xff), 0, 96, 0)
print("recovering")

hear({
  end() {
    for (const byte of [RECOVERY_BYTE, WRITER_BYTE]) lock(UNLOCK, byte)
  },
})
