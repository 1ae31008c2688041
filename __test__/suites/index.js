import { describe } from "node:test"
import { atomic } from "./atomic.js"
import { backup } from "./backup.js"
import { counters } from "./counters.js"
import { isolation } from "./isolation.js"
import { keys } from "./keys.js"
import { lifecycle } from "./lifecycle.js"
import { model } from "./model.js"
import { now } from "./now.js"
import { read } from "./read.js"
import { readPages } from "./read-pages.js"
import { refusals } from "./refusals.js"
import { snapshots } from "./snapshots.js"
import { transaction } from "./transaction.js"
import { ttl } from "./ttl.js"
import { values } from "./values.js"
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
  atomic,
  counters,
  transaction,
  now,
  isolation,
  refusals,
  lifecycle,
  backup,
  model,
}

/** Every suite on one target. */
export function runSuites(target) {
  for (const [name, suite] of Object.entries(suites)) {
    describe(`${target.name}: ${name}`, () => suite(target))
  }
}
