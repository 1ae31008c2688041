import { deepStrictEqual, strictEqual } from "node:assert"
import { formatNumber } from "./progress.js"

const SEATS = 40
const BUYERS = 50

/** Check and set: a commit is applied only if the checked entries have not changed; a loser reads again. */
export const seats = {
  question: `${BUYERS} people want ${SEATS} seats at once. Is any seat sold twice?`,
  async ask(kv) {
    const stock = ["seats", "left"]
    let attempts = 0
    await kv.set(stock, SEATS)

    async function buy(buyer) {
      for (;;) {
        const left = await kv.get(stock)
        if (left.value === 0) return false
        attempts++
        const sale = kv.atomic().check(left)
        sale.set(stock, left.value - 1).set(["seats", "sold", left.value], buyer)
        const { ok } = await sale.commit()
        if (ok) return true
      }
    }

    const bought = await Promise.all(Array.from({ length: BUYERS }, (_, buyer) => buy(buyer)))
    const happy = bought.filter(Boolean).length
    const left = (await kv.get(stock)).value
    const buyers = new Set()
    for await (const { value: buyer } of kv.list(["seats", "sold"])) buyers.add(buyer)
    return { happy, left, buyers: buyers.size, attempts }
  },
  check({ happy, left, buyers }) {
    deepStrictEqual({ happy, left, buyers }, { happy: SEATS, left: 0, buyers: SEATS })
  },
  show: ({ happy, left, attempts }) => [
    `${happy} sold, ${left} left, ${formatNumber(attempts)} attempts, ${formatNumber(attempts - happy)} conflicts`,
  ],
}

const ACCOUNTS = 10
const BALANCE = 1000
const CLERKS = 20
const TRANSFERS_A_CLERK = 10

/** A transaction: its reads are checked at its commit, and it runs again after a conflict. */
export const transfers = {
  question: `${CLERKS} clerks move money between ${ACCOUNTS} accounts at once. Is any lost or made?`,
  async ask(kv) {
    const accounts = Array.from({ length: ACCOUNTS }, (_, number) => ["account", number])
    const expected = accounts.map(() => BALANCE)
    const count = { attempts: 0, done: 0, refused: 0, gaveUp: 0 }
    await kv.setMany(accounts.map((key) => ({ key, value: BALANCE })))

    async function transfer(from, to, amount) {
      const result = await kv.transaction(
        async (tx) => {
          count.attempts++
          const [source, target] = await tx.getMany([accounts[from], accounts[to]])
          if (source.value < amount) return false
          tx.set(source.key, source.value - amount).set(target.key, target.value + amount)
          return true
        },
        { maxRetries: 100, retryDelay: "1ms" },
      )
      if (!result.ok) return count.gaveUp++
      if (!result.value) return count.refused++
      count.done++
      expected[from] -= amount
      expected[to] += amount
    }

    async function clerk(number) {
      for (let i = 0; i < TRANSFERS_A_CLERK; i++) {
        const from = (number * 7 + i * 3) % ACCOUNTS
        const to = (from + 1 + ((number + i) % (ACCOUNTS - 1))) % ACCOUNTS
        await transfer(from, to, 1 + ((number * 31 + i * 97) % 500))
      }
    }

    await Promise.all(Array.from({ length: CLERKS }, (_, number) => clerk(number)))
    const balances = (await kv.getMany(accounts)).map(({ value }) => value)
    return { balances, expected, count }
  },
  check({ balances, expected, count: { done, refused, gaveUp } }) {
    strictEqual(total(balances), ACCOUNTS * BALANCE)
    deepStrictEqual(balances, expected)
    strictEqual(done + refused + gaveUp, CLERKS * TRANSFERS_A_CLERK)
  },
  show: ({ balances, count: { attempts, done, refused, gaveUp } }) => [
    `${done} done, ${refused} refused for lack of money, ${gaveUp} given up, in ${formatNumber(attempts)} attempts`,
    `total ${formatNumber(total(balances))}, as before: ${balances.join(" ")}`,
  ],
}

function total(balances) {
  return balances.reduce((sum, balance) => sum + balance, 0)
}
