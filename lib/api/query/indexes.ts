/** Indexes for searches and filters: creating, listing and removing them, and explaining a filter. */

import type {
  KvExplanation,
  KvIndex,
  KvIndexOptions,
  KvOrderedIndexOptions,
  KvSearchIndexOptions,
} from "../../../index.js"
import { invalidArgument } from "../../shared/errors.js"
import { copyKey, copyList, selectorOf } from "../../shared/keys.js"
import { flag, takeOptions } from "../../shared/options.js"
import type { Transport } from "../../transport.js"
import { filterText } from "./filter.js"

/** Of either kind: what goes with what is checked here. */
type IndexOptions = { [Member in keyof (KvSearchIndexOptions | KvOrderedIndexOptions)]: unknown }

export function createIndex(transport: Transport, target: unknown, options: KvIndexOptions): Promise<void> {
  if (options === undefined)
    throw invalidArgument('options: they are missing; give { fields: ["title"] } or { on: ["city"] }')
  const given = takeOptions<IndexOptions>(options, ["fields", "tokenize", "on", "unique"])
  const { tokenize = "unicode61", unique } = given
  const [prefix, fields, on] = [copyKey(target), copyList(given.fields), copyList(given.on)]
  if ((fields === undefined) === (on === undefined))
    throw invalidArgument("options: give either fields, for search, or on, for filters")
  if (fields !== undefined) {
    if (unique !== undefined) throw invalidArgument("unique: it goes with on, not with fields")
    return transport.write({ kind: "createSearchIndex", prefix, fields, tokenize })
  }
  if (given.tokenize !== undefined) throw invalidArgument("tokenize: it goes with fields, not with on")
  return transport.write({ kind: "createOrderedIndex", prefix, on, unique: flag(unique, "unique") })
}

export async function listIndexes(transport: Transport): Promise<KvIndex[]> {
  return transport.query({ kind: "listIndexes" })
}

export async function removeIndex(
  transport: Transport,
  target: unknown,
  name: unknown,
): Promise<{ ok: boolean }> {
  const { count } = await transport.write({ kind: "removeIndexes", prefix: copyKey(target), name })
  return { ok: count > 0 }
}

export async function explain(
  transport: Transport,
  selector: unknown,
  where: unknown,
): Promise<KvExplanation> {
  return transport.query({ kind: "explain", ...selectorOf(selector), where: filterText(where) })
}
