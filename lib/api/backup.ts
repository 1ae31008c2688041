/** Backups: Rust copies on a thread of its own; here its news becomes calls of `onProgress`. */

import type { KvBackupOptions, KvBackupResult } from "../../index.js"
import type { NativeBackup, NativeHandle } from "../native/addon.js"
import type { Bridge } from "../native/bridge.js"
import { takeOptionalCallback } from "../shared/callbacks.js"
import { describe, invalidArgument } from "../shared/errors.js"
import { flag, takeOptions } from "../shared/options.js"

type News = [copiedBytes: number, totalBytes: number] | KvBackupResult

export async function backup(
  bridge: Bridge,
  path: unknown,
  given?: KvBackupOptions,
): Promise<KvBackupResult> {
  const options = takeOptions<KvBackupOptions>(given, ["overwrite", "onProgress"])
  const onProgress = takeOptionalCallback(options.onProgress, "onProgress")
  const [target, overwrite] = [pathText(path), flag(options.overwrite, "overwrite")]
  const { handle } = bridge
  const running = bridge.now((handle) => handle.backup(target, overwrite, onProgress !== undefined))
  for (;;) {
    const news = await nextNews(bridge, running)
    if (!Array.isArray(news)) return news
    const [copiedBytes, totalBytes] = news
    try {
      await onProgress?.({ copiedBytes, totalBytes })
    } catch (error) {
      await stop(bridge, handle, running)
      throw error
    }
  }
}

function pathText(path: unknown): string {
  if (typeof path === "string") return path
  if (path instanceof URL) return path.href
  throw invalidArgument(`path: must be a string or a URL, got ${describe(path)}`)
}

/** Asking for more agrees to what was told: the copy gets its name only after `onProgress` has taken the last of it. */
function nextNews(bridge: Bridge, running: NativeBackup): Promise<News> {
  return bridge.call((handle, id) => handle.backupNews(running, id))
}

/** Resolves when nothing is left of it; if it is being closed, `close` waits for that. */
async function stop(bridge: Bridge, handle: NativeHandle, running: NativeBackup): Promise<void> {
  handle.stopBackup(running)
  let news: unknown = []
  while (Array.isArray(news)) news = await nextNews(bridge, running).catch(() => undefined)
}
