import { describe } from "node:test"
import { changes } from "./changes/changes.js"
import { consumersLoop } from "./changes/consumer-loops.js"
import { consumers } from "./changes/consumers.js"
import { changesReplay } from "./changes/replay.js"
import { changesKept } from "./changes/retention.js"
import { atomic } from "./commits/atomic.js"
import { counters } from "./commits/counters.js"
import { patch } from "./commits/patch.js"
import { transaction } from "./commits/transaction.js"
import { transactionRetries } from "./commits/transaction-retries.js"
import { collection } from "./entries/collection.js"
import { model } from "./entries/entries-model.js"
import { keys } from "./entries/keys.js"
import { now } from "./entries/kv-now.js"
import { isolation } from "./entries/prefix-isolation.js"
import { read } from "./entries/read.js"
import { readPages } from "./entries/read-pages.js"
import { writeMany } from "./entries/set-many.js"
import { snapshots } from "./entries/snapshots.js"
import { ttl } from "./entries/ttl.js"
import { values } from "./entries/values.js"
import { write } from "./entries/write.js"
import { whereDelete } from "./filters/delete.js"
import { wherePages } from "./filters/pages.js"
import { wherePaths } from "./filters/paths.js"
import { whereRandom } from "./filters/random.js"
import { whereRefusals } from "./filters/refusals.js"
import { where } from "./filters/where.js"
import { indexes } from "./indexes/create-index.js"
import { indexesModel } from "./indexes/indexes-model.js"
import { ordered } from "./indexes/ordered.js"
import { search } from "./indexes/search.js"
import { searchKept } from "./indexes/search-maintenance.js"
import { searchPages } from "./indexes/search-pages.js"
import { unique } from "./indexes/unique.js"
import { contexts } from "./kv/async-contexts.js"
import { backup } from "./kv/backup.js"
import { clock } from "./kv/clock.js"
import { lifecycle } from "./kv/lifecycle.js"
import { metrics } from "./kv/metrics.js"
import { tracing } from "./kv/tracing.js"
import { wakes } from "./kv/wakeups.js"
import { leasesModel } from "./locks/leases-model.js"
import { locks } from "./locks/locks.js"
import { deadLettersKept } from "./queues/dead-letter-retention.js"
import { deadLetters } from "./queues/dead-letters.js"
import { queuesLife } from "./queues/lifecycle.js"
import { queuesOrdering } from "./queues/ordering.js"
import { queues } from "./queues/queues.js"
import { queuesRandom } from "./queues/random.js"
import { queuesRetry } from "./queues/retry.js"
import { refusals } from "./refusals/entries-and-commits.js"
import { messages } from "./refusals/error-messages.js"
import { args } from "./refusals/every-call.js"
import { liveRefusals } from "./refusals/watch-queues-locks.js"
import { watchConverges } from "./watch/converges.js"
import { watchExpiry } from "./watch/expiry.js"
import { watchLarge } from "./watch/large.js"
import { watchLife } from "./watch/lifecycle.js"
import { watchMany } from "./watch/many.js"
import { watchResume } from "./watch/resume.js"
import { watch } from "./watch/watch.js"

const suites = {
  keys,
  values,
  read,
  "read in pages": readPages,
  snapshots,
  write,
  "write many": writeMany,
  ttl,
  where,
  "where, paths": wherePaths,
  "where, pages": wherePages,
  "where, delete": whereDelete,
  "where, refusals": whereRefusals,
  "where at random": whereRandom,
  atomic,
  counters,
  ordered,
  unique,
  indexes,
  "indexes against a model": indexesModel,
  patch,
  collection,
  search,
  "search, kept": searchKept,
  "search, pages": searchPages,
  messages,
  metrics,
  tracing,
  transaction,
  "transaction, retries": transactionRetries,
  now,
  isolation,
  refusals,
  "arguments of every call": args,
  "async contexts": contexts,
  lifecycle,
  watch,
  "watch, the life of": watchLife,
  "watch, expiry": watchExpiry,
  "watch, resumed": watchResume,
  "watch, large": watchLarge,
  "watch, many": watchMany,
  "watch, converges": watchConverges,
  changes,
  "changes that are kept": changesKept,
  "changes, replayed": changesReplay,
  consumers,
  "consumers as loops": consumersLoop,
  queues,
  "queues, the life of listeners": queuesLife,
  "queues, retries": queuesRetry,
  "queues, ordering": queuesOrdering,
  "queues at random": queuesRandom,
  "dead letters": deadLetters,
  "dead letters that are kept": deadLettersKept,
  locks,
  "whom a commit wakes": wakes,
  "locks and consumers against models": leasesModel,
  "a clock that steps": clock,
  "live refusals": liveRefusals,
  backup,
  model,
}

/** Every suite on one target. */
export function runSuites(target) {
  for (const [name, suite] of Object.entries(suites)) {
    describe(`${target.name}: ${name}`, () => suite(target))
  }
}
