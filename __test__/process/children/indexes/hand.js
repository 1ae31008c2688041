// hand.js <file> <role> <name>: prints `ready`, then works until its stdin is closed, `worked` when something
// was done first, and at last how much. claim: takes mails under ["u", name], which are unique, and gives
// some back; swap: lets two entries of ["p"] change places; churn: makes indexes of ["p"] and removes them.
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [, , file, role, name] = process.argv
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const MAILS = 200
const PAIRS = 250
let ended = false

async function claim(round) {
  const outcomes = await Promise.allSettled(
    [0, 1, 2, 3].map((at) => kv.set(["u", name, round, at], { mail: `m${(round * 7 + at) % MAILS}` })),
  )
  for (const { reason } of outcomes) if (reason !== undefined && reason.code !== "CONFLICT") throw reason
  if (round % 10 === 0) await kv.delete(["u", name], { where: { mail: { $startsWith: "m1" } } })
  return outcomes.filter(({ status }) => status === "fulfilled").length
}

async function swap(round) {
  const pair = (round * 7) % PAIRS
  const keys = [
    ["p", 2 * pair],
    ["p", 2 * pair + 1],
  ]
  const places = async (tx) => {
    const [one, two] = await tx.getMany(keys)
    tx.patch(keys[0], { city: two.value.city, text: two.value.text })
    tx.patch(keys[1], { city: one.value.city, text: one.value.text })
  }
  return (await kv.transaction(places, { maxRetries: 50 })).ok ? 1 : 0
}

async function churn(round) {
  await kv.createIndex(["p"], { on: ["city"] })
  await kv.createIndex(["p"], { on: ["n"], unique: true })
  await kv.createIndex(["p"], { fields: ["text"] })
  await kv.removeIndex(["p"], round % 2 ? "city" : "n")
  return 1
}

let done = 0
hear({ line() {}, end: () => (ended = true) })
print("ready")
for (let round = 0; !ended; round++) {
  const before = done
  done += await { claim, swap, churn }[role](round)
  if (before === 0 && done > 0) print("advanced")
}
await kv.close()
print(`did ${done}`)
