import assert from "node:assert/strict"
import { test } from "node:test"
import { collect } from "../../support/assert.js"
import { useStore } from "../../support/store.js"

const KEYS = Array.from({ length: 20 }, (_, at) => ["pair", at])
const ROUNDS = 150
/** So many commits come while it reads, at least. */
const MEETINGS = 5

/** Writes the same number to all keys, one commit a round, until `done` settles. */
async function rewrite(kv, state) {
  for (let round = 1; !state.done; round++) {
    const atomic = kv.atomic()
    for (const key of KEYS) atomic.set(key, round)
    await atomic.commit()
    state.rounds = round
  }
}

async function beside(kv, read) {
  const state = { done: false, rounds: 0 }
  const writer = rewrite(kv, state)
  try {
    for (let at = 0; at < ROUNDS || state.rounds < MEETINGS; at++) {
      const values = await read()
      assert.equal(new Set(values).size, 1, `torn read: ${values}`)
    }
  } finally {
    state.done = true
    await writer
  }
}

/**
 * A read sees whole commits. Seen to fail: answer each key of `getMany` in a read transaction of its own.
 */
export function snapshots(target) {
  const store = useStore(target)

  async function begin() {
    await store.kv.setMany(KEYS.map((key) => ({ key, value: 0 })))
  }

  test("getMany reads one snapshot", async () => {
    await begin()
    await beside(store.kv, async () => (await store.kv.getMany(KEYS)).map(({ value }) => value))
  })

  test("the gets of one tick read one snapshot", async () => {
    await begin()
    await beside(store.kv, async () =>
      (await Promise.all(KEYS.map((key) => store.kv.get(key)))).map(({ value }) => value),
    )
  })

  test("a page of a list reads one snapshot", async () => {
    await begin()
    await beside(store.kv, async () => (await collect(store.kv.list(["pair"]))).map(({ value }) => value))
  })

  test("a large getMany reads one snapshot, wherever it is answered", async () => {
    await begin()
    const keys = Array.from({ length: 1000 }, (_, at) => KEYS[at % KEYS.length])
    await beside(store.kv, async () => (await store.kv.getMany(keys)).map(({ value }) => value))
  })

  test("a second Kv on the same store sees whole commits", { skip: !target.shared }, async () => {
    await begin()
    const other = store.another()
    await beside(store.kv, async () => (await other.getMany(KEYS)).map(({ value }) => value))
  })
}
