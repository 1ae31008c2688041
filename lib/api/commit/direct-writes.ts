/** Writes of a `Kv` itself: each is a commit of its own. */

import type {
  KvCommitError,
  KvCommitResult,
  KvDeleteOptions,
  KvDeleteResult,
  KvExpireOptions,
  KvKey,
  KvPatchOptions,
  KvSelector,
  KvSetResult,
  KvWriteKey,
} from "../../../index.js"
import { invalidArgument } from "../../shared/errors.js"
import { copyKey, copyKeys, isKeyList, selectorOf } from "../../shared/keys.js"
import { isList } from "../../shared/kinds.js"
import { EXPIRE, expiresIn, flag, takeOptions } from "../../shared/options.js"
import type { DeleteMutation, Transport } from "../../transport.js"
import { encodeValue } from "../../value/index.js"
import { filterText } from "../query/filter.js"
import { Atomic } from "./atomic.js"
import { CommitUuid, resolve, writeKey } from "./mutations.js"

export function set(
  transport: Transport,
  target: KvWriteKey,
  given: unknown,
  options: KvExpireOptions | undefined,
): Promise<KvSetResult> {
  const ttl = expiresIn(options, transport.core)
  const uuid = new CommitUuid(transport.core)
  const value = resolve(encodeValue(given, "value"), uuid)
  const { parts, stamped } = writeKey(copyKey(target), uuid)
  return transport.write({ kind: "set", key: parts, stamped, value, expiresIn: ttl })
}

export function deleteAll(
  transport: Transport,
  target: KvKey | readonly KvKey[] | KvSelector,
  options: KvDeleteOptions | undefined,
): Promise<KvDeleteResult> {
  const mutations = deletions(target, takeOptions<KvDeleteOptions>(options, ["exact", "where"]))
  return transport.write({ kind: "delete", mutations })
}

export function touch(transport: Transport, key: KvKey, options: KvExpireOptions): Promise<{ ok: boolean }> {
  const ttl = expiresIn(options, transport.core)
  return transport.write({ kind: "touch", key: copyKey(key), expiresIn: ttl })
}

export function patch(
  transport: Transport,
  key: KvKey,
  mergePatch: unknown,
  options: KvPatchOptions | undefined,
): Promise<KvCommitResult | KvCommitError> {
  const given = takeOptions<KvPatchOptions>(options, ["versionstamp", ...EXPIRE])
  const { versionstamp, expiresIn, expireIn } = given
  const atomic = new Atomic(transport).patch(key, mergePatch, { expiresIn, expireIn })
  return (versionstamp === undefined ? atomic : atomic.check({ key, versionstamp })).commit()
}

function deletions(
  target: KvKey | readonly KvKey[] | KvSelector,
  { exact, where }: KvDeleteOptions,
): DeleteMutation[] {
  const isExact = flag(exact, "exact")
  const filter = filterText(where)
  if (!isList(target)) {
    const range = selectorOf(target)
    if (exact !== undefined) throw invalidArgument("exact: it goes with a key, not with a selector")
    return [{ type: "deleteRange", where: filter, ...range }]
  }
  if (target.length === 0)
    throw invalidArgument("target: it is empty; give a key, or { prefix: [] } to delete everything")
  const keys = isKeyList(target) ? copyKeys(target) : [copyKey(target) as KvKey]
  return keys.map((key) =>
    isExact && filter === undefined
      ? { type: "delete", key }
      : { type: "deleteTree", key, exact: isExact, where: filter },
  )
}
