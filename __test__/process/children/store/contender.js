// contender.js <file> <name> <rounds>: works on the same keys as other processes, a wave for each line that
// it hears; prints what it did as JSON.
import { Kv } from "@buntime/keyval"
import { hear, print, printJson } from "../lines.js"

const [file, name, rounds] = process.argv.slice(2)
const ROUNDS = Number(rounds)
const ACCOUNTS = 8
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
let stamps = []
let waves = 0

async function repeat(chains, times, work) {
  const chain = async (at) => {
    for (let n = 0; n < times; n++) await work(at, n)
  }
  await Promise.all(Array.from({ length: chains }, (_, at) => chain(at)))
}

async function increment() {
  const { ok, versionstamp } = await kv.atomic().sum(["counter"], 1n).commit()
  if (!ok) throw new Error("a sum without a check has conflicted")
  stamps.push(versionstamp)
}

async function transfer(at, n) {
  const from = (at * 5 + n * 3 + name.length) % ACCOUNTS
  const to = (from + 1 + (n % (ACCOUNTS - 1))) % ACCOUNTS
  const result = await kv.transaction(
    async (tx) => {
      const [a, b] = await tx.getMany([
        ["account", from],
        ["account", to],
      ])
      tx.set(a.key, a.value - 1)
        .set(b.key, b.value + 1)
        .sum(["transfers"], 1n)
    },
    { maxRetries: 10_000, retryDelay: 1 },
  )
  if (!result.ok) throw new Error("a transfer outlasted its retries")
  stamps.push(result.versionstamp)
}

async function compareAndSet() {
  for (;;) {
    const entry = await kv.get(["cas"])
    const commit = await kv
      .atomic()
      .check(entry)
      .set(["cas"], entry.value + 1)
      .commit()
    if (commit.ok) return stamps.push(commit.versionstamp)
  }
}

async function append(at, n) {
  const { versionstamp } = await kv
    .atomic()
    .append(["list"], [`${name} ${waves} ${at} ${n}`])
    .commit()
  stamps.push(versionstamp)
}

async function wave() {
  stamps = []
  waves++
  await Promise.all([
    repeat(8, ROUNDS, increment),
    repeat(2, ROUNDS, transfer),
    repeat(2, ROUNDS, compareAndSet),
    repeat(2, ROUNDS, append),
  ])
  printJson(stamps)
}

hear({ line: wave, end: () => kv.close() })
print("ready")
