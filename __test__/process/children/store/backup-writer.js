// backup-writer.js <file> <accounts>: moves money between accounts until it is killed; prints "ready" after
// its first commits.
import { Kv } from "@buntime/keyval"
import { print } from "../lines.js"

const [file, accounts] = process.argv.slice(2)
const ACCOUNTS = Number(accounts)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })

async function move(chain) {
  for (let n = 0; ; n++) {
    const from = (n * 3 + chain) % ACCOUNTS
    const to = (from + 1 + (n % (ACCOUNTS - 1))) % ACCOUNTS
    await kv
      .atomic()
      .sum(["account", from], -1)
      .sum(["account", to], 1)
      .set(["pad", chain, n % 500], `${process.pid} ${n} ${"x".repeat(2000)}`)
      .commit()
    if (n === 10 && chain === 0) print("ready")
  }
}

for (let chain = 0; chain < 4; chain++) void move(chain)
