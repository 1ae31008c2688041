/** The distinct next parts under a prefix. */

import type { KvChildren, KvChildrenOptions } from "../../../index.js"
import { describe, invalidArgument } from "../../shared/errors.js"
import { copyKey } from "../../shared/keys.js"
import { isList } from "../../shared/kinds.js"
import { MAX_PAGE_ENTRIES } from "../../shared/limits.js"
import { takeOptions, wholeNumber } from "../../shared/options.js"
import type { Transport } from "../../transport.js"

const OPTIONS: readonly (keyof KvChildrenOptions)[] = ["limit", "after", "counts"]
const DEFAULT_CHILDREN = 100

/** Reads one page of them. */
export async function children(
  transport: Transport,
  given: unknown,
  options?: KvChildrenOptions,
): Promise<KvChildren> {
  const { limit = DEFAULT_CHILDREN, after, counts = false } = takeOptions<KvChildrenOptions>(options, OPTIONS)
  const prefix = copyKey(given)
  if (counts !== "exact" && typeof counts !== "boolean")
    throw invalidArgument(`counts: must be true, false or "exact", got ${describe(counts)}`)
  const most = wholeNumber(limit, "limit", 1, MAX_PAGE_ENTRIES)
  return transport.query({
    kind: "children",
    prefix,
    after: after === undefined || !isList(prefix) ? undefined : copyKey([...prefix, after]),
    limit: most,
    counts: counts === "exact" ? "all" : counts ? "some" : "none",
  })
}
