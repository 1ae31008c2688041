// What follows a commit of another process that the file does not tell of: one more look, in time.
import assert from "node:assert/strict"
import { test } from "node:test"
import { setImmediate as turn } from "node:timers/promises"
import { ELSEWHERE, TIME } from "../../dist/native/addon.js"
import { News } from "../../dist/notices/dispatcher.js"

/** A `Kv` by a clock of its own: its looks, and when it asked to be woken. */
class Store {
  nowMs = 0
  looks = 0
  wakeAtMs
  /** What the next looks give: queues, leases, and when to look again. */
  dues = []
  closed = false

  attend() {}

  now(work) {
    return work({ now: () => this.nowMs, waitFor() {} })
  }

  ended(work) {
    return work({ now: () => this.nowMs, wakeAt: (atMs) => (this.wakeAtMs = atMs), waitNoMore() {} })
  }

  askJson() {
    this.looks++
    return this.dues.shift() ?? [[], [], null]
  }
}

const elsewhere = [ELSEWHERE, [], []]
const time = [TIME, [], []]

// Seen to fail: without the alarm, nothing looked before the next commit.
test("where a look is put off it is made in time, though nobody commits any more", async () => {
  const store = new Store()
  const news = new News(store)
  let calls = 0
  news.leases.wait("c", { notice: () => calls++ })
  store.dues = [
    [[], [], 1000],
    [[], ["c", 0], null],
  ]
  news.tell(elsewhere)
  await turn()
  assert.deepEqual([store.looks, calls, store.wakeAtMs], [1, 0, 1000])
  store.nowMs = 1000
  news.tell(time)
  await turn()
  assert.deepEqual([store.looks, calls], [2, 1])
})

// Seen to fail: the store's thread went on looking for commits of others when the last listener had stopped.
test("nobody waits any more: no look is made", async () => {
  const store = new Store()
  const news = new News(store)
  const leave = news.leases.wait("c", { notice() {} })
  store.dues = [[[], [], 1000]]
  news.tell(elsewhere)
  await turn()
  leave()
  assert.equal(news.reasons, 0)
  store.nowMs = 1000
  news.tell(time)
  await turn()
  assert.equal(store.looks, 1)
})
