// check.js <file> <notes.json>: after the writers of a round were killed, prints what is wrong as a JSON
// list, and deletes what was verified. The notes: the newest versionstamp that was acknowledged, the names of
// those that go on counting, and for each life the last acknowledgement of each of its chains,
// `{ n, versionstamp }`.
import { readFileSync } from "node:fs"
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"
import { ACCOUNTS, accountKeys, BATCH, largeText, MONEY, SLOTS, SUMS } from "./workload.js"

const [file, notes] = process.argv.slice(2)
const { lives, watchers, newest } = JSON.parse(readFileSync(notes, "utf8"))
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const wrong = []

/** The last acknowledged number of a chain; -1 is none. */
const lastOf = (life, chain) => lives[life][chain]?.n ?? -1

async function all(selector) {
  const entries = []
  for await (const entry of kv.list(selector)) entries.push(entry)
  return entries
}

/** A chain's numbers: each up to the last acknowledged one, and at most the one that was on its way. */
function checkNumbers(what, numbers, last, step = 1) {
  const found = new Set(numbers)
  for (let n = 0; n <= last; n += step) if (!found.has(n)) wrong.push(`lost: ${what} ${n} of ${last}`)
  for (const n of found) if (n > last + 1) wrong.push(`torn: ${what} ${n} after ${last}`)
}

function checkStamp(what, entry, acknowledged) {
  if (acknowledged && entry && entry.versionstamp !== acknowledged.versionstamp)
    wrong.push(`stamps: ${what} has ${entry.versionstamp}, acknowledged was ${acknowledged.versionstamp}`)
}

async function checkChain(kind, life, chain) {
  const entries = await all([kind, life, chain])
  const numbers = entries.map(({ key }) => key[3])
  const last = lastOf(life, chain)
  checkNumbers(`${life} ${chain}`, numbers, last)
  checkStamp(`${life} ${chain} ${last}`, entries[numbers.indexOf(last)], lives[life][chain])
  return entries
}

async function checkTtl(life) {
  const before = Date.now()
  const entries = await all(["ttl", life])
  const dead = entries.filter(({ expiresAt }) => !(expiresAt > before))
  if (dead.length > 0) wrong.push(`expired: ${dead.length} entries of ${life} are still there`)
  const lasting = entries.map(({ value }) => value).filter((n) => n % 2 === 0)
  checkNumbers(`${life} ttl`, lasting, lastOf(life, "ttl"), 2)
}

/**
 * The acknowledged batch is there, or the one after it; the ones before it are not, and each has one
 * versionstamp.
 */
async function checkBatches(life) {
  const last = lastOf(life, "batch")
  const batches = new Map()
  for (const { key, versionstamp } of await all(["batch", life]))
    batches.set(key[2], [...(batches.get(key[2]) ?? []), versionstamp])
  if (last >= 0 && !batches.has(last) && !batches.has(last + 1)) wrong.push(`lost: ${life} batch ${last}`)
  for (const [n, stamps] of batches) {
    if (stamps.length !== BATCH || new Set(stamps).size > 1)
      wrong.push(`torn: ${life} batch ${n} has ${stamps.length} entries of ${new Set(stamps).size} commits`)
    if (n < last || n > last + 1) wrong.push(`lost: ${life} batch ${n} is there after ${last}`)
  }
}

async function checkLarge(life) {
  const last = lastOf(life, "large")
  for (let slot = 0; slot < SLOTS; slot++) {
    const { value } = await kv.get(["large", life, slot])
    const expected = last < slot ? -1 : last - ((last - slot) % SLOTS)
    if ((value?.n ?? -1) !== expected && value?.n !== last + 1)
      wrong.push(`lost: ${life} large ${slot} is ${value?.n}, acknowledged was ${expected}`)
    if (value && value.text !== largeText(value.n)) wrong.push(`torn: ${life} large ${value.n}`)
  }
}

/**
 * No writer is at work: the accounts are the sums of all transfers that were noted since the check before.
 */
async function checkMoney(transfers) {
  const base = (await kv.get(["base"])).value
  for (const { value } of transfers) {
    base[value.from]--
    base[value.to]++
  }
  const found = (await kv.getMany(accountKeys)).map(({ value }) => value)
  const total = found.reduce((sum, one) => sum + one, 0)
  if (total !== ACCOUNTS * MONEY) wrong.push(`sums: the accounts hold ${total}`)
  if (String(found) !== String(base))
    wrong.push(`torn: the accounts are ${found}, the transfers make ${base}`)
  return found
}

/** The sum of all is that of each, in one snapshot; watchers go on counting meanwhile. */
async function checkCounters() {
  const names = Object.keys(lives)
  const keys = [
    ["all"],
    ["dead"],
    ...names.map((life) => ["life", life]),
    ...watchers.map((one) => ["watch", one]),
  ]
  const found = await kv.getMany(keys.map((key) => ["counter", ...key]))
  const [sum, ...parts] = found.map(({ value }) => value ?? 0n)
  const total = parts.reduce((sum, part) => sum + part, 0n)
  if (sum !== total) wrong.push(`torn: the counter of all is ${sum}, the counters together ${total}`)
  names.forEach((life, at) => {
    const [count, written] = [Number(parts[at + 1]), SUMS * (lastOf(life, "counter") + 1)]
    if (count < written || count > written + SUMS)
      wrong.push(`lost: ${life} counted ${count}, written were ${written}`)
  })
  return parts.slice(1, names.length + 1).reduce((sum, part) => sum + part, 0n)
}

const transfers = []
for (const life of Object.keys(lives)) {
  for (const chain of ["log0", "log1"]) await checkChain("log", life, chain)
  for (const chain of ["moved0", "moved1"]) transfers.push(...(await checkChain("moved", life, chain)))
  await checkTtl(life)
  await checkBatches(life)
  await checkLarge(life)
}
const balances = await checkMoney(transfers)
const counted = await checkCounters()

const fold = kv.atomic().set(["base"], balances).delete(["moved"]).delete(["counter", "life"])
const { versionstamp } = await fold.sum(["counter", "dead"], counted).commit()
if (!(versionstamp > newest)) wrong.push(`stamps: ${versionstamp} was issued after ${newest}`)
for (const kind of ["log", "ttl", "batch", "large"]) await kv.delete([kind])
await kv.close()
printJson({ wrong, versionstamp })
