import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { collect } from "../../support/assert.js"
import { Crew, sleep, until } from "../../support/crew.js"
import { orphans } from "../../support/full-text.js"
import { nodeOnly, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"

const PLACES = 500
const TIMEOUT_MS = 120_000
const KILLS = Number(process.env.KEYVAL_KILLS ?? 8)

async function inFolder(work) {
  const folder = tempFolder()
  const crew = new Crew()
  const file = join(folder.path, "store.db")
  const open = () => new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
  try {
    await work({ crew, file, open })
  } finally {
    await crew.dismiss()
    folder.dispose()
  }
}

const places = (count) =>
  Array.from({ length: count }, (_, n) => ({
    key: ["p", n],
    value: { n, city: n % 2 ? "Bern" : "Rome", text: n % 2 ? `apple pie ${n}` : `pear tart ${n}` },
  }))

/** Half of the places are in each city, whoever changes them, and whatever indexes there are. */
async function assertHalves(kv, count) {
  const [bern, rome] = await Promise.all([
    kv.count(["p"], { where: { city: "Bern" } }),
    kv.count(["p"], { where: { $and: [{ city: { $in: ["Rome", "Oslo"] } }] } }),
  ])
  assert.deepEqual([bern, rome], [count / 2, count / 2])
}

describe("process: indexes", nodeOnly, () => {
  test("two processes that claim the same values: each is held once", { timeout: 600_000 }, () =>
    inFolder(async ({ crew, file, open }) => {
      const kv = open()
      await kv.createIndex(["u"], { on: ["mail"], unique: true })
      const hands = runtimes.map((runtime) =>
        crew.launch(runtime, "indexes/hand.js", [file, "claim", runtime]),
      )
      await Promise.all(hands.map((hand) => hand.says(/^advanced$/)))
      const assertOnce = async () => {
        const mails = (await collect(kv.list(["u"]))).map(({ value }) => value.mail)
        assert.equal(new Set(mails).size, mails.length)
        return mails.length
      }
      // They give some back now and then, so that at the end there may be few.
      await until(async () => (await assertOnce()) > 100, "not many mails are claimed")
      await sleep(1500)
      for (const hand of hands) assert.match(await hand.end(), /^did [1-9]/m)
      await assertOnce()
      await kv.close()
    }),
  )

  test("indexes come and go while others write, and change no answer", { timeout: 600_000 }, () =>
    inFolder(async ({ crew, file, open }) => {
      const kv = open()
      await kv.setMany(places(PLACES))
      const roles = ["swap", "churn", "swap"]
      const hands = roles.map((role, at) => crew.launch(runtimes[at % 2], "indexes/hand.js", [file, role]))
      await Promise.all(hands.map((hand) => hand.says(/^advanced$/)))
      const began = performance.now()
      let [rounds, served] = [0, 0]
      const isEnough = () => rounds > 20 && served > 0 && performance.now() - began > 3000
      for (; !isEnough(); rounds++) {
        assert.ok(performance.now() - began < TIMEOUT_MS, `${served} of ${rounds} rounds met an index`)
        await assertHalves(kv, PLACES)
        const { index, rowsRead } = await kv.explain(["p"], { city: "Bern" })
        if (index !== null) assert.equal(rowsRead, PLACES / 2)
        served += index === null ? 0 : 1
      }
      for (const hand of hands) assert.match(await hand.end(), /^did [1-9]/m)
      assert.equal((await collect(kv.search(["p"], "apple"))).length, PLACES / 2)
      await kv.close()
      assert.deepEqual(await orphans(file), [])
    }),
  )

  test("killed while it makes indexes: each is there whole, or not at all", { timeout: 600_000 }, () =>
    inFolder(async ({ crew, file, open }) => {
      const count = 10_000
      const loader = open()
      await loader.setMany(places(count))
      await loader.close()
      for (let kill = 0; kill < KILLS; kill++) {
        const hand = crew.launch(runtimes[kill % 2], "indexes/hand.js", [file, "churn"])
        await hand.says(/^ready$/)
        await sleep(40 + ((kill * 131) % 600))
        await hand.kill()
        const kv = open()
        const names = (await kv.listIndexes()).map(({ name }) => name)
        await assertHalves(kv, count)
        assert.equal(await kv.count(["p"], { where: { n: 77 } }), 1)
        if (names.includes("search")) assert.equal((await collect(kv.search(["p"], "apple 77"))).length, 1)
        if (names.includes("n"))
          await assert.rejects(() => kv.set(["p", "x"], { n: 77 }), { code: "CONFLICT" })
        await kv.close()
        assert.deepEqual(await orphans(file), [])
      }
    }),
  )
})
