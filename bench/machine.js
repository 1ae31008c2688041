import { statfsSync } from "node:fs"
import { cpus, release, totalmem, type } from "node:os"

/** Magic numbers of statfs(2). */
const FILE_SYSTEMS = {
  61267: "ext4",
  2435016766: "btrfs",
  1481003842: "xfs",
  2035054128: "overlayfs",
  801189825: "zfs",
  16914836: "tmpfs",
  26985: "nfs",
  26: "apfs",
}

/** The facts of the machine that figures depend on, one line each. */
export function describeMachine(folder) {
  const cores = cpus()
  const magic = statfsSync(folder).type
  const fileSystem = FILE_SYSTEMS[magic] ?? `type 0x${magic.toString(16)}`
  return {
    Date: new Date().toISOString().slice(0, 10),
    CPU: `${cores[0].model.trim()}, ${cores.length} cores`,
    Memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    Kernel: `${type()} ${release()}`,
    "File system":
      fileSystem === "tmpfs" ? "tmpfs, where a sync costs nothing: set KEYVAL_BENCH_DIR" : fileSystem,
    Node: process.versions.node,
  }
}
