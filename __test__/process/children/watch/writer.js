// writer.js <file> <seed>: writes and deletes at random, in commits of every kind, until its stdin ends or it
// is killed.
import { setTimeout as wait } from "node:timers/promises"
import { Kv } from "@buntime/keyval"
import { Random } from "../../../support/random.js"
import { hear, print } from "../lines.js"
import { GROUPS, MEMBERS } from "./keys.js"

const [file, seed] = process.argv.slice(2)
const random = new Random(Number(seed))
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: "100ms" })
let stopped = false

function anyKey() {
  const group = random.int(GROUPS)
  return random.pick([
    ["w", group],
    ["w", group, random.int(MEMBERS)],
    ["w", group, random.int(MEMBERS)],
    ["w", group, random.int(MEMBERS)],
    ["w", group, random.int(MEMBERS), "below"],
    ["w1", group],
    ["other", random.int(5)],
  ])
}

const value = (n) => ({ by: process.pid, n, pad: "x".repeat(random.int(400)) })

async function many(n) {
  const commit = kv.atomic()
  for (let at = 0; at < 20; at++)
    if (random.chance(0.3)) commit.delete(anyKey())
    else commit.set(anyKey(), value(n))
  commit.sum(["w", "commits"], 1n)
  await commit.commit()
}

/** What one turn of a chain does, with how likely it is. */
const TURNS = [
  [55, (n) => kv.set(anyKey(), value(n))],
  [12, () => kv.delete(anyKey(), { exact: true })],
  [10, many],
  [10, (n) => kv.set(anyKey(), value(n), { expiresIn: 20 + random.int(400) })],
  [4, () => kv.touch(anyKey(), { expiresIn: 20 + random.int(400) })],
  [4, (n) => kv.atomic().set(anyKey(), value(n)).delete(anyKey()).commit()],
  [3, () => kv.delete(["w", random.int(GROUPS)])],
  [2, () => kv.delete({ prefix: ["w", random.int(GROUPS)] })],
]
const TOTAL = TURNS.reduce((sum, [weight]) => sum + weight, 0)

function turn(n) {
  let at = random.int(TOTAL)
  for (const [weight, work] of TURNS) {
    if (at < weight) return work(n)
    at -= weight
  }
}

async function write() {
  for (let n = 0; !stopped; n++) {
    await turn(n)
    if (random.chance(0.3)) await wait(random.int(15))
  }
}

hear({
  end() {
    stopped = true
  },
})
print("writing")
await Promise.all(Array.from({ length: 4 }, write))
await kv.close()
process.exit()
