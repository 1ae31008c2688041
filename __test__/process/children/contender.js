// contender.js <file> <name> <rounds> <start in ms since the epoch>: works on the same keys as other processes; prints what it did as JSON.
import { Kv } from "@buntime/keyval"
import { printJson } from "./lines.js"

const [file, name, rounds, startAt] = process.argv.slice(2)
const ROUNDS = Number(rounds)
const ACCOUNTS = 8
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const stamps = []
let conflicts = 0

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
    conflicts++
  }
}

async function append(at, n) {
  const { versionstamp } = await kv
    .atomic()
    .append(["list"], [`${name} ${at} ${n}`])
    .commit()
  stamps.push(versionstamp)
}

while (Date.now() < Number(startAt));
await Promise.all([
  repeat(8, ROUNDS, increment),
  repeat(2, Math.ceil(ROUNDS / 4), transfer),
  repeat(2, Math.ceil(ROUNDS / 4), compareAndSet),
  repeat(2, Math.ceil(ROUNDS / 4), append),
])
await kv.close()
printJson({ stamps, conflicts })
