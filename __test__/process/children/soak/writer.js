// writer.js <file> <life>: writes until it is killed, and prints each acknowledgement:
// `<chain> <n> <versionstamp>`.
import { Kv } from "@buntime/keyval"
import { print } from "../lines.js"
import { ACCOUNTS, accountKeys, BATCH, CHAINS, largeText, SLOTS, SUMS } from "./workload.js"

const [file, life] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: "1s" })

const WRITES = {
  log: (chain, n) => kv.set(["log", life, chain, n], { n, pad: "x".repeat((n * 37) % 3000) }),
  moved: transfer,
  async counter() {
    const sum = () => kv.atomic().sum(["counter", "life", life], 1n).sum(["counter", "all"], 1n).commit()
    return (await Promise.all(Array.from({ length: SUMS }, sum))).at(-1)
  },
  /** Every other one lives for less than the soak. */
  ttl: (_chain, n) => kv.set(["ttl", life, n], n, { expiresIn: n % 2 ? 300 : "1h" }),
  async batch(_chain, n) {
    const commit = kv.atomic()
    for (let at = 0; at < BATCH; at++) commit.set(["batch", life, n, at], n)
    const result = await commit.commit()
    if (n > 0) await kv.delete(["batch", life, n - 1])
    return result
  },
  large: (_chain, n) => kv.set(["large", life, n % SLOTS], { n, text: largeText(n) }),
}

/** Moves money between two accounts, with the checks of a transaction, and notes it in the same commit. */
function transfer(chain, n) {
  const from = (n * 5 + life.length) % ACCOUNTS
  const to = (from + 1 + (n % (ACCOUNTS - 1))) % ACCOUNTS
  return kv.transaction(
    async (tx) => {
      const [a, b] = await tx.getMany([accountKeys[from], accountKeys[to]])
      tx.set(a.key, a.value - 1)
        .set(b.key, b.value + 1)
        .set(["moved", life, chain, n], { from, to })
    },
    { maxRetries: 10_000, retryDelay: 1 },
  )
}

async function write(chain) {
  const work = WRITES[chain.replace(/\d$/, "")]
  for (let n = 0; ; n++) {
    const { ok, versionstamp } = await work(chain, n)
    if (ok === false) throw new Error(`${chain} ${n} was not committed`)
    print(`${chain} ${n} ${versionstamp}`)
  }
}

await Promise.all(CHAINS.map(write))
