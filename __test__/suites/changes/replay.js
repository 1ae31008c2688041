import assert from "node:assert/strict"
import { test } from "node:test"
import { collect, plain, snapshot } from "../../support/assert.js"
import { compareKeys, isUnder } from "../../support/models/key-order.js"
import { Random } from "../../support/random.js"
import { T0, useStore } from "../../support/store.js"
import { Inbox } from "../../support/waiting.js"
import { nameOf } from "../../support/watching.js"

const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const STEPS = Number(process.env.KEYVAL_STEPS ?? 500)
const PARTS = ["t", "1", "10", 1, 10, 1n, true, Uint8Array.of(1)]

class Writer {
  now = T0

  constructor(store, random, expires) {
    this.store = store
    this.random = random
    this.expires = expires
    store.at(T0)
  }

  key() {
    return this.random.many(1 + this.random.int(2), () => this.random.pick(PARTS))
  }

  value() {
    const { random } = this
    return random.pick([random.int(100), BigInt(random.int(100)), null, Uint8Array.of(random.int(256)), [1]])
  }

  expire() {
    return this.expires && this.random.chance(0.3) ? { expiresIn: 1 + this.random.int(50) } : {}
  }

  mutation() {
    const { random } = this
    const key = this.key()
    const type = random.pick(["set", "set", "delete", "range", "append"])
    if (type === "set") return { type, key, value: this.value(), ...this.expire() }
    if (type === "append") return { type, key: ["list", ...key], value: [this.value()], ...this.expire() }
    return { type: "delete", key: type === "delete" ? key : { prefix: key } }
  }

  async step() {
    const { random, store } = this
    const form = random.int(12)
    const mutations = random.many(1 + random.int(6), () => this.mutation())
    if (form < 6)
      await store.kv
        .atomic()
        .mutate(...mutations)
        .commit()
    else if (form < 8) await store.kv.set(this.key(), this.value(), this.expire())
    else if (form < 9) await store.kv.delete(this.key())
    else if (form < 10) {
      // Commits that are issued together share a group.
      await Promise.all(mutations.map((mutation) => store.kv.atomic().mutate(mutation).commit()))
    } else if (form < 11 && this.expires) await store.sweep()
    else if (this.expires) {
      this.now += random.int(20)
      store.at(this.now)
    }
  }
}

/**
 * The feed is whole: whoever replays it has the store. Seen to fail: sweep without a note in the change log.
 */
export function changesReplay(target) {
  const store = useStore(target, { options: { changeLog: "values" } })

  /** A live tail, and what it was given. */
  function tail(options) {
    const inbox = new Inbox()
    void (async () => {
      for await (const change of store.kv.changes({ live: true, ...options })) inbox.put(change)
    })().catch((error) => inbox.fail(error))
    return { prefix: options.prefix ?? [], inbox }
  }

  for (const expires of [false, true]) {
    const what = `a replay is the store, ${expires ? "with" : "without"} expiry (KEYVAL_SEED=${SEED})`
    test(what, { timeout: 600_000 }, async () => {
      const random = new Random(SEED + Number(expires))
      const writer = new Writer(store, random, expires)
      const consumer = store.kv.consumer("c", { lease: "1d" })
      const consumed = []
      const tails = [{}, { prefix: ["t"] }, { prefix: ["list", 1] }].map((options) => tail(options))
      for (let at = 0; at < STEPS; at++) {
        await writer.step()
        if (!random.chance(0.2)) continue
        const given = await consumer.read(1 + random.int(20))
        const count = random.int(given.length + 1)
        if (count > 0) await consumer.commit(given[count - 1].seq)
        consumed.push(...given.slice(0, count))
      }
      if (expires) await store.sweep()

      const feed = await collect(store.kv.changes())
      assert.equal(await store.kv.changes.head(), feed.length)
      const replayed = new Map()
      const inCommit = new Set()
      for (const [at, change] of feed.entries()) {
        const { seq, key, type, versionstamp, value } = change
        const name = nameOf(key)
        assert.equal(seq, at + 1)
        if (at > 0) assert.ok(versionstamp >= feed[at - 1].versionstamp, "in commit order")
        assert.ok(!inCommit.has(`${versionstamp} ${name}`), `${name} twice in one commit`)
        inCommit.add(`${versionstamp} ${name}`)
        // What has expired is absent, removed or not.
        if (type === "create") assert.ok(expires || !replayed.has(name), `create of ${name}, which is there`)
        else assert.ok(replayed.has(name), `${type} of ${name}, which is not there`)
        if (type === "delete") replayed.delete(name)
        else replayed.set(name, { key, value: plain(value), versionstamp })
      }
      const entries = (await snapshot(store.kv)).map(({ expiresAt, ...entry }) => entry)
      assert.deepEqual(
        [...replayed.values()].sort((a, b) => compareKeys(a.key, b.key)),
        entries,
      )

      for (const { prefix, inbox } of tails) {
        const expected = feed.filter(({ key }) => isUnder(prefix, key))
        assert.deepEqual(
          await inbox.take(expected.length),
          expected,
          "a live tail is given each once, in order",
        )
      }

      let rest
      do {
        rest = await consumer.read(1000)
        consumed.push(...rest)
        if (rest.length > 0) await consumer.commit(rest.at(-1).seq)
      } while (rest.length > 0)
      assert.deepEqual(consumed, feed, "a consumer is given each once, in order")
    })
  }
}
