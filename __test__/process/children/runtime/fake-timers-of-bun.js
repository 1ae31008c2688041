// Run by `bun test`, whose fake timers also replace what was taken before them.
import { expect, jest, test } from "bun:test"
import { Kv } from "@buntime/keyval"

test("a transaction that is tried again under fake timers", async () => {
  jest.useFakeTimers()
  const kv = new Kv(":memory:")
  await kv.setMany(Array.from({ length: 2000 }, (_, n) => ({ key: ["n", n], value: n })))
  let listed = 0
  for await (const _ of kv.list(["n"])) listed++
  let tries = 0
  const result = await kv.transaction(
    async (tx) => {
      await tx.get(["t"])
      if (++tries === 1) await kv.set(["t"], 1)
      tx.set(["t"], 2)
    },
    { maxRetries: 1, retryDelay: 5 },
  )
  await kv.close()
  jest.useRealTimers()
  expect([listed, tries, result.ok]).toEqual([2000, 2, true])
})
