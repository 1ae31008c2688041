// What follows a commit of another process that the file does not tell of: one more look, in time.
import assert from "node:assert/strict"
import { test } from "node:test"
import { setImmediate as turn } from "node:timers/promises"
import { NoticeDispatcher } from "../../dist/modules/notices/dispatcher.js"
import { NOTICE_ELSEWHERE, NOTICE_TIME } from "../../dist/modules/wire/codes.js"

/** A `Kv` by a clock of its own: its looks, and when it asked to be woken. */
class Store {
  nowMs = 0
  looks = 0
  wakeAtMs
  /** What the next looks give: queues, leases, and when to look again. */
  answers = []
  closed = false

  updateReasons() {}
  waitFor() {}
  stopWaitingFor() {}

  now() {
    return this.nowMs
  }

  timeWhileOpen() {
    return this.nowMs
  }

  wakeAt(atMs) {
    this.wakeAtMs = atMs
  }

  dues() {
    this.looks++
    return this.answers.shift() ?? [[], [], null]
  }
}

const elsewhere = [NOTICE_ELSEWHERE, [], []]
const time = [NOTICE_TIME, [], []]

// Seen to fail: without the timer, nothing looked before the next commit.
test("where a look is put off it is made in time, though nobody commits any more", async () => {
  const store = new Store()
  const notices = new NoticeDispatcher(store)
  let calls = 0
  notices.leases.subscribe("c", { notice: () => calls++ })
  store.answers = [
    [[], [], 1000],
    [[], ["c", 0], null],
  ]
  notices.dispatch(elsewhere)
  await turn()
  assert.deepEqual([store.looks, calls, store.wakeAtMs], [1, 0, 1000])
  store.nowMs = 1000
  notices.dispatch(time)
  await turn()
  assert.deepEqual([store.looks, calls], [2, 1])
})

// Seen to fail: the store's thread went on looking for commits of others when the last listener had stopped.
test("nobody waits any more: no look is made", async () => {
  const store = new Store()
  const notices = new NoticeDispatcher(store)
  const { unsubscribe } = notices.leases.subscribe("c", { notice() {} })
  store.answers = [[[], [], 1000]]
  notices.dispatch(elsewhere)
  await turn()
  unsubscribe()
  assert.equal(notices.reasons, 0)
  store.nowMs = 1000
  notices.dispatch(time)
  await turn()
  assert.equal(store.looks, 1)
})
