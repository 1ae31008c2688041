import { describe } from "node:test"
import { changes } from "./changes/changes.js"
import { consumerLoops } from "./changes/consumer-loops.js"
import { consumers } from "./changes/consumers.js"
import { changesReplay } from "./changes/replay.js"
import { changesRetention } from "./changes/retention.js"
import { atomic } from "./commits/atomic.js"
import { counters } from "./commits/counters.js"
import { patch } from "./commits/patch.js"
import { transaction } from "./commits/transaction.js"
import { transactionRetries } from "./commits/transaction-retries.js"
import { children } from "./entries/children.js"
import { collection } from "./entries/collection.js"
import { entriesModel } from "./entries/entries-model.js"
import { keys } from "./entries/keys.js"
import { kvNow } from "./entries/kv-now.js"
import { prefixIsolation } from "./entries/prefix-isolation.js"
import { read } from "./entries/read.js"
import { readOptions } from "./entries/read-options.js"
import { readPages } from "./entries/read-pages.js"
import { setMany } from "./entries/set-many.js"
import { snapshots } from "./entries/snapshots.js"
import { syncReads } from "./entries/sync-reads.js"
import { ttl } from "./entries/ttl.js"
import { write } from "./entries/write.js"
import { whereDelete } from "./filters/delete.js"
import { wherePages } from "./filters/pages.js"
import { wherePaths } from "./filters/paths.js"
import { whereRandom } from "./filters/random.js"
import { whereRefusals } from "./filters/refusals.js"
import { where } from "./filters/where.js"
import { createIndex } from "./indexes/create-index.js"
import { indexesModel } from "./indexes/indexes-model.js"
import { orderedIndexes } from "./indexes/ordered.js"
import { search } from "./indexes/search.js"
import { searchMaintenance } from "./indexes/search-maintenance.js"
import { searchPages } from "./indexes/search-pages.js"
import { uniqueIndexes } from "./indexes/unique.js"
import { asyncContexts } from "./kv/async-contexts.js"
import { backup } from "./kv/backup.js"
import { clock } from "./kv/clock.js"
import { lifecycle } from "./kv/lifecycle.js"
import { metrics } from "./kv/metrics.js"
import { signals } from "./kv/signals.js"
import { tracing } from "./kv/tracing.js"
import { wakeups } from "./kv/wakeups.js"
import { leasesModel } from "./locks/leases-model.js"
import { locks } from "./locks/locks.js"
import { deadLetterRetention } from "./queues/dead-letter-retention.js"
import { deadLetters } from "./queues/dead-letters.js"
import { queuesLifecycle } from "./queues/lifecycle.js"
import { queuesOrdering } from "./queues/ordering.js"
import { queues } from "./queues/queues.js"
import { queuesRandom } from "./queues/random.js"
import { queuesRetry } from "./queues/retry.js"
import { entryRefusals } from "./refusals/entries-and-commits.js"
import { errorMessages } from "./refusals/error-messages.js"
import { everyArgument } from "./refusals/every-argument.js"
import { everyCall } from "./refusals/every-call.js"
import { subscriptionRefusals } from "./refusals/watch-queues-locks.js"
import { sharedValues } from "./values/shared-values.js"
import { values } from "./values/values.js"
import { watchConverges } from "./watch/converges.js"
import { watchExpiry } from "./watch/expiry.js"
import { watchLarge } from "./watch/large.js"
import { watchLifecycle } from "./watch/lifecycle.js"
import { watchMany } from "./watch/many.js"
import { watchResume } from "./watch/resume.js"
import { watch } from "./watch/watch.js"

const suites = {
  // entries/
  keys,
  values,
  "values that hold themselves": sharedValues,
  read,
  "read in pages": readPages,
  "read options": readOptions,
  children,
  snapshots,
  "sync reads": syncReads,
  write,
  "set many": setMany,
  ttl,
  collection,
  "kv.now()": kvNow,
  "prefixes are apart": prefixIsolation,
  "entries against a model": entriesModel,

  // commits/
  atomic,
  counters,
  patch,
  transaction,
  "transaction, retries": transactionRetries,

  // filters/
  where,
  "where, paths": wherePaths,
  "where, pages": wherePages,
  "where, delete": whereDelete,
  "where, refusals": whereRefusals,
  "where at random": whereRandom,

  // indexes/
  "indexes, ordered": orderedIndexes,
  "indexes, unique": uniqueIndexes,
  "indexes, created": createIndex,
  "indexes against a model": indexesModel,
  search,
  "search, maintenance": searchMaintenance,
  "search, pages": searchPages,

  // watch/
  watch,
  "watch, lifecycle": watchLifecycle,
  "watch, expiry": watchExpiry,
  "watch, resumed": watchResume,
  "watch, large": watchLarge,
  "watch, many": watchMany,
  "watch, converges": watchConverges,

  // changes/
  changes,
  "changes, retention": changesRetention,
  "changes, replayed": changesReplay,
  consumers,
  "consumers, loops": consumerLoops,

  // queues/
  queues,
  "queues, lifecycle": queuesLifecycle,
  "queues, retries": queuesRetry,
  "queues, ordering": queuesOrdering,
  "queues at random": queuesRandom,
  "dead letters": deadLetters,
  "dead letters, retention": deadLetterRetention,

  // locks/
  locks,
  "locks and consumers against models": leasesModel,

  // refusals/
  "error messages": errorMessages,
  "refusals, entries and commits": entryRefusals,
  "arguments of every call": everyCall,
  "every argument of every call": everyArgument,
  "refusals, watches, queues and locks": subscriptionRefusals,

  // kv/
  metrics,
  signals,
  tracing,
  "async contexts": asyncContexts,
  lifecycle,
  wakeups,
  "a clock that steps": clock,
  backup,
}

/** Every suite on one target, or those of these names. */
export function runSuites(target, names = Object.keys(suites)) {
  for (const name of names) describe(`${target.name}: ${name}`, () => suites[name](target))
}
