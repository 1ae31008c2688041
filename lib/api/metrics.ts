/** The metrics of a `Kv`, and the description of its store. */

import type { KvInfo, KvMetrics, KvOperationMetrics } from "../../index.js"
import { describe, invalidArgument } from "../shared/errors.js"
import { refuseExtra } from "../shared/options.js"
import { version } from "../shared/version.js"
import type { Transport } from "../transport.js"

export async function infoOf(
  transport: Transport,
  location: string,
  extra: readonly unknown[],
): Promise<KvInfo> {
  refuseExtra(extra)
  const { databaseId, sqliteVersion, schemaVersion, changeLog, retentionMs, deadLetterRetentionMs } =
    await transport.query({ kind: "storeInfo" })
  const { backend, maxValueBytes, maxKeys, persistent } = transport.capabilities
  return {
    version,
    backend,
    location,
    databaseId,
    sqliteVersion,
    schemaVersion,
    changeLog,
    retentionMs,
    deadLetterRetentionMs,
    capabilities: { maxValueBytes, maxKeys, persistent },
  }
}

export async function metricsOf(
  transport: Transport,
  format: unknown = "json",
  extra: readonly unknown[],
): Promise<KvMetrics | string> {
  refuseExtra(extra)
  if (format !== "json" && format !== "prometheus")
    throw invalidArgument(`format: must be "json" or "prometheus", got ${describe(format)}`)
  const [operations, info, queue] = await Promise.all([
    transport.query({ kind: "metrics", format }),
    transport.query({ kind: "storeInfo" }),
    transport.query({ kind: "queueStats", queue: undefined }),
  ])
  const storage = { entries: info.entries, sizeBytes: info.sizeBytes }
  if (format === "prometheus") return operations + gauges(queue, storage)
  return { operations: JSON.parse(operations) as Record<string, KvOperationMetrics>, queue, storage }
}

function gauges(queue: KvMetrics["queue"], storage: KvMetrics["storage"]): string {
  const { pending, processing, dlq } = queue
  return [
    "# HELP keyval_queue_messages Messages of all queues, by their state.",
    "# TYPE keyval_queue_messages gauge",
    ...Object.entries({ pending, processing, dlq }).map(
      ([state, count]) => `keyval_queue_messages{state="${state}"} ${count}`,
    ),
    "# HELP keyval_storage_entries Live entries.",
    "# TYPE keyval_storage_entries gauge",
    `keyval_storage_entries ${storage.entries}`,
    "# HELP keyval_storage_size_bytes The size of the data, without the write-ahead log.",
    "# TYPE keyval_storage_size_bytes gauge",
    `keyval_storage_size_bytes ${storage.sizeBytes}`,
    "",
  ].join("\n")
}
