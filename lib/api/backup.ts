/** Backups: the store copies; its progress is reported here through `onProgress`. */

import type { KvBackupOptions, KvBackupResult } from "../../index.js"
import { takeOptionalCallback } from "../shared/callbacks.js"
import { describe, invalidArgument, KvError } from "../shared/errors.js"
import { flag, takeOptions } from "../shared/options.js"
import type { BackupReader, Transport } from "../transport.js"

export async function backup(
  transport: Transport,
  target: unknown,
  given?: KvBackupOptions,
): Promise<KvBackupResult> {
  const options = takeOptions<KvBackupOptions>(given, ["overwrite", "onProgress"])
  const onProgress = takeOptionalCallback(options.onProgress, "onProgress")
  const [path, overwrite] = [pathText(target), flag(options.overwrite, "overwrite")]
  if (!transport.capabilities.backup)
    throw new KvError(
      "UNSUPPORTED",
      "backup: the store is not on this machine; call it in a program that opens the file itself",
    )
  const reader = transport.open({ kind: "backup", path, overwrite, watched: onProgress !== undefined })
  for (;;) {
    // Asking for the next event approves the last one: the copy gets its name only after `onProgress` has
    // handled all progress.
    const event = await reader.next()
    if ("bytes" in event) return event
    try {
      await onProgress?.(event)
    } catch (error) {
      await stop(reader)
      throw error
    }
  }
}

function pathText(path: unknown): string {
  if (typeof path === "string") return path
  if (path instanceof URL) return path.href
  throw invalidArgument(`path: must be a string or a URL, got ${describe(path)}`)
}

/** Resolves when the backup is gone; if the `Kv` is being closed, `close` waits for that. */
async function stop(reader: BackupReader): Promise<void> {
  reader.stop()
  for (let event: unknown; ; ) {
    event = await reader.next().catch(() => undefined)
    if (event === undefined || "bytes" in (event as object)) return
  }
}
