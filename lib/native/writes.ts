/** Hands each kind of write to Rust, and reads its answer. */

import type { KvCheck, KvCommitError, KvCommitResult, KvMutationResult } from "../../index.js"
import { KvU64 } from "../shared/u64.js"
import type { ClaimedMessage, Request, Settlement, Writes } from "../transport.js"
import {
  END_DONE,
  END_FAILED,
  END_RELEASED,
  END_RETURNED,
  END_UNREADABLE,
  STAMP_ALWAYS,
  STAMP_IF_CHANGED,
  STAMP_NEVER,
} from "../wire/codes.js"
import { reviveKey } from "../wire/key-json.js"
import { readParts } from "../wire/page.js"
import type { NativeHandle } from "./addon.js"
import type { AnswerReader } from "./bridge.js"
import { addMutation, addMutations } from "./mutations.js"

export type WriteEntry<Asked, Given> = AnswerReader<Asked, Given> & {
  stage(handle: NativeHandle, id: number, request: Asked): void
  /**
   * It may end operations in progress while the `Kv` is being closed; `close` waits for its answer.
   */
  whileClosing?: boolean
}

type Entries = { readonly [K in keyof Writes]: WriteEntry<Request<Writes, K>, Writes[K]["gives"]> }

const STAMPING = { always: STAMP_ALWAYS, never: STAMP_NEVER }
const ENDS: Record<Settlement["end"], number> = {
  done: END_DONE,
  failed: END_FAILED,
  returned: END_RETURNED,
  released: END_RELEASED,
  unreadable: END_UNREADABLE,
}

type Reply = null | number | boolean | { i?: string; u?: string; id?: string }
type Committed = [versionstamp: string, replies: Reply[]]
type Outcome = Committed | { conflicts: (number | string | null)[] }
type Step = [count: number, more: number]

const nothing = () => undefined
const ok = (ok: boolean) => ({ ok })

export const WRITES: Entries = {
  set: {
    stage: (handle, id, { key, stamped, value, expiresIn }) =>
      handle.set(id, key, stamped, value.data, value.encoding, expiresIn),
    body: (body: Committed) => ({ ok: true, versionstamp: body[0] }),
  },
  commit: {
    stage(handle, id, { checks, mutations, stamping, argument, first }) {
      handle.begin()
      for (const { key, versionstamp } of checks) handle.check(key, versionstamp)
      addMutations(handle, mutations, argument, first)
      handle.submit(id, STAMPING[stamping])
    },
    body: outcomeOf,
  },
  delete: {
    stage(handle, id, { mutations }) {
      handle.begin()
      for (const mutation of mutations) addMutation(handle, mutation)
      handle.submit(id, STAMP_IF_CHANGED)
    },
    body([, replies]: Committed) {
      const deletedCount = (replies as number[]).reduce((sum, one) => sum + one, 0)
      return { success: true, deletedCount }
    },
  },
  touch: {
    stage(handle, id, { key, expiresIn }) {
      handle.begin()
      handle.touch(key, expiresIn)
      handle.submit(id, STAMP_IF_CHANGED)
    },
    body: ([, replies]: Committed) => ({ ok: replies[0] === true }),
  },
  enqueue: {
    stage(handle, id, { mutation }) {
      handle.begin()
      addMutation(handle, mutation)
      handle.submit(id, STAMP_IF_CHANGED)
    },
    body: ([, replies]: Committed) => ({ ok: true, id: (replies[0] as { id: string }).id }),
  },
  queueClaim: {
    whileClosing: true,
    stage(handle, id, request) {
      for (const settlement of request.settled) handle.queueSettle(settlement, ENDS[settlement.end])
      handle.queueClaim(id, request)
    },
    page(parcel) {
      const { rows, tail } = readParts<ClaimedMessage, ClaimTail>(parcel, 4, messageOf)
      const [more, dueMs] = tail
      return { messages: rows, more, dueMs }
    },
  },
  queueSettle: {
    stage: (handle, id, settlement) => handle.queueSettleNow(id, settlement, ENDS[settlement.end]),
    body: nothing,
  },
  requeueDeadLetter: {
    stage: (handle, call, { id }) => handle.queueRequeue(call, id),
    body: (added: string | null) => added,
  },
  deleteDeadLetter: { stage: (handle, call, { id }) => handle.queueDeleteDeadLetter(call, id), body: ok },
  purgeDeadLetters: {
    stage: (handle, id, { queue }) => handle.queuePurgeDeadLetters(id, queue),
    body: ([count, more]: Step) => ({ count, more: more === 1 }),
  },
  trimChanges: {
    stage: (handle, id, { seq }) => handle.changesTrim(id, seq),
    body: ([count, more, upTo]: [...Step, upTo: number]) => ({ count, more: more === 1, upTo }),
  },
  takeLock: {
    stage: (handle, id, request) => handle.lockTake(id, request),
    body: ([acquired, token, expiresAt]: [boolean, string, number]) => ({
      acquired,
      token: BigInt(token),
      expiresAt,
    }),
  },
  releaseLock: {
    stage: (handle, id, { name, token }) => handle.lockRelease(id, name, Number(token)),
    body: ok,
  },
  takeConsumer: {
    stage: (handle, id, request) => handle.consumerTake(id, request),
    body(body: [lease: number, position: number, prefix: unknown[]] | [lease: null, untilMs: number]) {
      if (body[0] === null) return { lease: null, heldUntilMs: body[1] }
      return { lease: body[0], position: body[1], prefix: reviveKey(body[2] as unknown[]) }
    },
  },
  commitConsumer: {
    stage: (handle, id, request) => handle.consumerCommit(id, request),
    body: nothing,
  },
  releaseConsumer: {
    stage: (handle, id, { name, lease }) => handle.consumerRelease(id, name, lease),
    body: nothing,
  },
  deleteConsumer: { stage: (handle, id, { name }) => handle.consumerDelete(id, name), body: ok },
  createSearchIndex: {
    stage: (handle, id, request) => handle.indexCreateSearch(id, request),
    body: nothing,
  },
  createOrderedIndex: {
    stage: (handle, id, request) => handle.indexCreateOrdered(id, request),
    body: nothing,
  },
  removeIndexes: {
    stage: (handle, id, { prefix, name }) => handle.indexRemove(id, prefix, name),
    body: (count: number) => ({ count }),
  },
}

function outcomeOf(
  outcome: Outcome,
  { checks }: { checks: readonly KvCheck[] },
): KvCommitResult | KvCommitError {
  if (!Array.isArray(outcome)) return { ok: false, conflicts: conflictsOf(outcome.conflicts, checks) }
  return { ok: true, versionstamp: outcome[0], results: outcome[1].map(resultOf) } as KvCommitResult
}

function conflictsOf(pairs: readonly (number | string | null)[], checks: readonly KvCheck[]): KvCheck[] {
  const conflicts: KvCheck[] = []
  for (let at = 0; at < pairs.length; at += 2) {
    const { key } = checks[pairs[at] as number] as KvCheck
    conflicts.push({ key, versionstamp: pairs[at + 1] as string | null })
  }
  return conflicts
}

/** The result of a mutation, from Rust's form of it (`src/binding/results/text.rs`). */
function resultOf(reply: Reply): KvMutationResult {
  if (reply === null || (typeof reply === "object" && "id" in reply)) return undefined
  if (typeof reply !== "object") return reply as number
  return reply.i === undefined ? new KvU64(BigInt(reply.u as string)) : BigInt(reply.i)
}

type ClaimTail = [more: boolean, dueMs: number | null, lost: number[]]

function messageOf(parts: readonly unknown[], at: number): ClaimedMessage {
  const [id, lease, attempts, value] = parts.slice(at, at + 4) as [string, number, number, unknown]
  return { id, lease, attempts, value }
}
