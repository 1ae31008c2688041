import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { needsFaults } from "../faults/index.js"
import { root } from "../support/runtimes.js"
import { check, record, recordAndCut, SCENARIOS } from "./scenarios.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 30))
/** Of each scenario, in each mode. `npm run powercut` makes more of both. */
const STATES = 12
const ROUNDS = 30
const size = { seed: SEED, rounds: ROUNDS, states: STATES }
const keptOf = (name) => join(root, "target/powercut", `${SEED}`, name.replaceAll(" ", "-"))

/**
 * Law 1 and 2 when the power fails: what was acknowledged is there, whole, in order. Seen to fail: see the
 * last test, which leaves single syncs out; and version 0.1.0, where 188 of 360 states of "failed syncs
 * beside a listener" had lost acknowledged commits, and states of "new folders" and "backups", in strict
 * mode, had lost the new folder; and commits that are not announced before their sync: 82 of 720 states of "a
 * failed sync that nobody lives to tell of"; and checkpoints whose failed sync is passed over, or after which
 * the next one does not copy everything again: in each mode 4 of 12 states of "a failed sync after a
 * checkpoint of a part of the log" were damaged. A workload that meets nothing of what its scenario is about
 * fails, too (`sees`).
 */
describe(`power cuts (KEYVAL_SEED=${SEED})`, needsFaults, () => {
  for (const [name, scenario] of Object.entries(SCENARIOS))
    test(name, { timeout: 600_000 }, async () => {
      for (const { wrong } of await recordAndCut(scenario, { ...size, kept: keptOf(name) }))
        assert.deepEqual(wrong, [])
    })

  const scenario = { processes: [{ runtime: "node", durability: "full", reopen: 5 }], store: "store.db" }
  /** The losses of a store without one kind of sync, and the scenario that shows them. */
  const LEFT_OUT = {
    "the log's": { kind: "wal", mode: "ordered", sees: /^lost|^order/ },
    "the file's": { kind: "db", mode: "ordered", sees: /^lost|^torn|^opens|^integrity/ },
    "the folder's": { kind: "folder", mode: "strict", sees: /^lost/ },
  }
  const isFound = async (scenario, name, mode, change, sees) => {
    const { checks, dispose } = await record(scenario, { ...size, states: 40, kept: keptOf(name) })
    try {
      const { wrong } = await check({ ...checks.find((one) => one.mode === mode), ...change })
      assert.ok(
        wrong.some(({ reasons }) => reasons.some((reason) => sees.test(reason))),
        JSON.stringify(wrong),
      )
    } finally {
      dispose()
    }
  }
  for (const [whose, { kind, mode, sees }] of Object.entries(LEFT_OUT))
    test(`a store without ${whose} syncs is found out`, { timeout: 600_000 }, () =>
      isFound(scenario, `without ${kind}`, mode, { without: { type: "sync", kind } }, sees),
    )

  test("a store that passes over failed syncs of checkpoints is found out", { timeout: 600_000 }, () =>
    isFound(
      SCENARIOS["a long log"],
      "failed db",
      "ordered",
      { ignored: { kind: "db" } },
      /^lost|^torn|^opens|^integrity/,
    ),
  )
})
