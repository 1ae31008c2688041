import { describe } from "node:test"
import { args } from "./arguments.js"
import { atomic } from "./atomic.js"
import { backup } from "./backup.js"
import { changes } from "./changes.js"
import { changesKept } from "./changes-kept.js"
import { changesReplay } from "./changes-replay.js"
import { clock } from "./clock.js"
import { collection } from "./collection.js"
import { consumers } from "./consumers.js"
import { consumersLoop } from "./consumers-loop.js"
import { contexts } from "./contexts.js"
import { counters } from "./counters.js"
import { deadLetters } from "./dead-letters.js"
import { deadLettersKept } from "./dead-letters-kept.js"
import { indexes } from "./indexes.js"
import { indexesModel } from "./indexes-model.js"
import { isolation } from "./isolation.js"
import { keys } from "./keys.js"
import { leasesModel } from "./leases-model.js"
import { lifecycle } from "./lifecycle.js"
import { liveRefusals } from "./live-refusals.js"
import { locks } from "./locks.js"
import { messages } from "./messages.js"
import { metrics } from "./metrics.js"
import { model } from "./model.js"
import { now } from "./now.js"
import { ordered } from "./ordered.js"
import { patch } from "./patch.js"
import { queues } from "./queues.js"
import { queuesLife } from "./queues-life.js"
import { queuesOrdering } from "./queues-ordering.js"
import { queuesRandom } from "./queues-random.js"
import { queuesRetry } from "./queues-retry.js"
import { read } from "./read.js"
import { readPages } from "./read-pages.js"
import { refusals } from "./refusals.js"
import { search } from "./search.js"
import { searchKept } from "./search-kept.js"
import { searchPages } from "./search-pages.js"
import { snapshots } from "./snapshots.js"
import { tracing } from "./tracing.js"
import { transaction } from "./transaction.js"
import { ttl } from "./ttl.js"
import { unique } from "./unique.js"
import { values } from "./values.js"
import { wakes } from "./wakes.js"
import { watch } from "./watch.js"
import { watchConverges } from "./watch-converges.js"
import { watchExpiry } from "./watch-expiry.js"
import { watchLarge } from "./watch-large.js"
import { watchLife } from "./watch-life.js"
import { watchMany } from "./watch-many.js"
import { watchResume } from "./watch-resume.js"
import { where } from "./where.js"
import { whereDelete } from "./where-delete.js"
import { wherePages } from "./where-pages.js"
import { wherePaths } from "./where-paths.js"
import { whereRandom } from "./where-random.js"
import { whereRefusals } from "./where-refusals.js"
import { write } from "./write.js"
import { writeMany } from "./write-many.js"

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
