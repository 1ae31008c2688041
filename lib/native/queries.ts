/** Asks Rust each kind of question, and reads its answer. */

import type { KvChild, KvDeadLetter, KvIndex, KvInfo, KvKeyPart } from "../../index.js"
import type { Queries, Request } from "../transport.js"
import { reviveKey } from "../wire/key-json.js"
import { type Packet, readParts } from "../wire/page.js"
import type { NativeHandle } from "./addon.js"
import type { AnswerReader } from "./bridge.js"

export type QueryEntry<Asked, Given> = AnswerReader<Asked, Given> & {
  start(handle: NativeHandle, id: number, request: Asked): Packet
  /** It is answered at once, and counts as one entry read. */
  isInline?: boolean
}

type Entries = {
  readonly [K in Exclude<keyof Queries, "metrics">]: QueryEntry<Request<Queries, K>, Queries[K]["gives"]>
}

type IndexRow = [prefix: unknown[], name: string, kind: KvIndex["kind"], spec: object, createdAt: number]
type InfoRow = [
  sqliteVersion: string,
  schemaVersion: number,
  databaseId: string,
  changeLog: KvInfo["changeLog"],
  retentionMs: number,
  sizeBytes: number,
  entries: number,
  deadLetterRetentionMs: number | null,
]

type ChildRow = [key: unknown[], hasEntry: number, hasChildren: number, count: KvChild["count"] | null]

/** By the numbers that Rust knows them by. */
const COUNTS = ["none", "some", "all"]

const number = (number: number) => number

export const QUERIES: Entries = {
  count: {
    start: (handle, id, range) => handle.count(id, range),
    body: number,
  },
  children: {
    isInline: true,
    start: (handle, id, { counts, ...request }) =>
      handle.children(id, { ...request, counts: COUNTS.indexOf(counts) }),
    body: ([more, rows]: [more: number, ChildRow[]]) => ({
      children: rows.map(childOf),
      hasMore: more === 1,
    }),
  },
  explain: {
    start: (handle, id, range) => handle.explain(id, range),
    body: ([index, rowsRead, entries]: [IndexRow | null, number, number]) => ({
      index: index && indexOf(index),
      rowsRead,
      entries,
    }),
  },
  listIndexes: {
    start: (handle, id) => handle.indexList(id),
    body: (rows: IndexRow[]) => rows.map(indexOf),
  },
  changesHead: { start: (handle, id) => handle.changesHead(id), body: number },
  lockStatus: {
    isInline: true,
    start: (handle, id, { name }) => handle.lockStatus(id, name),
    body(holder: [owner: string, token: string, expiresAt: number] | null) {
      if (holder === null) return { held: false, owner: null, token: null, expiresAt: null }
      const [owner, token, expiresAt] = holder
      return { held: true, owner, token: BigInt(token), expiresAt }
    },
  },
  consumerStatus: {
    isInline: true,
    start: (handle, id, { name }) => handle.consumerStatus(id, name),
    body: ([position, head, leaseExpiresAt]: [number, number, number | null]) => ({
      position,
      head,
      leaseExpiresAt,
    }),
  },
  queueStats: {
    start: (handle, id, { queue }) => handle.queueStats(id, queue),
    body: ([pending, processing, dlq]: [number, number, number]) => ({
      pending,
      processing,
      dlq,
      total: pending + processing + dlq,
    }),
  },
  queueDue: {
    start: (handle, id, { queue }) => handle.queueDue(id, queue),
    body: (dueMs: number | null) => dueMs,
  },
  deadLetters: {
    start: (handle, id, request) => handle.queueDeadLetters(id, request),
    page(parcel) {
      const { rows, tail } = readParts<KvDeadLetter, number>(parcel, LETTER_PARTS, letterOf)
      return { letters: rows, more: tail === 1 }
    },
  },
  deadLetter: {
    start: (handle, call, { id }) => handle.queueDeadLetter(call, id),
    page: (parcel) => readParts<KvDeadLetter, number>(parcel, LETTER_PARTS, letterOf).rows[0],
  },
  storeInfo: {
    start: (handle, id) => handle.info(id),
    body(row: InfoRow) {
      const [sqliteVersion, schemaVersion, databaseId, changeLog, retentionMs, sizeBytes, entries] = row
      const deadLetterRetentionMs = row[7]
      return {
        databaseId,
        sqliteVersion,
        schemaVersion,
        changeLog,
        retentionMs,
        deadLetterRetentionMs,
        sizeBytes,
        entries,
      }
    },
  },
}

function childOf([parts, hasEntry, hasChildren, count]: ChildRow): KvChild {
  const key = reviveKey(parts)
  const part = key.at(-1) as KvKeyPart
  const child: KvChild = { part, key, hasEntry: hasEntry === 1, hasChildren: hasChildren === 1 }
  if (count !== null) child.count = count as number
  return child
}

function indexOf([prefix, name, kind, spec, createdAt]: IndexRow): KvIndex {
  return { prefix: reviveKey(prefix), name, kind, ...spec, createdAt } as KvIndex
}

const LETTER_PARTS = 8

function letterOf(parts: readonly unknown[], at: number): KvDeadLetter {
  const [id, originalId, errorMessage, attempts, originalCreatedAt, failedAt, queue, value] = parts.slice(
    at,
    at + LETTER_PARTS,
  ) as [string, string, string, number, number, number, string, unknown]
  return { id, originalId, value, errorMessage, attempts, originalCreatedAt, failedAt, queue }
}
