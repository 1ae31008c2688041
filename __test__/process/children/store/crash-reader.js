// crash-reader.js <file> <acknowledged.json>: opens after crashes and prints what is wrong, as a JSON list.
import { readFileSync } from "node:fs"
import { Kv } from "@buntime/keyval"
import { printJson } from "../lines.js"

const [file, acknowledged] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const wrong = []

async function stored(key) {
  return (await kv.get(key)).value
}

/** The counts of one chain of one round: every number up to the acknowledged one must be there. */
async function checkChain(round, kind, chain, last) {
  if (kind === "set") {
    for (let n = 0; n <= last; n++) {
      if ((await stored(["log", round, chain, n]))?.n !== n) wrong.push(`lost: set ${round} ${chain} ${n}`)
    }
  } else if (kind === "pair") {
    for (let n = 0; n <= last; n++) {
      if ((await stored(["pair", "a", round, chain, n])) === null)
        wrong.push(`lost: pair ${round} ${chain} ${n}`)
    }
    if ((await stored(["last", round, chain])) < last) wrong.push(`lost: last of ${round} ${chain}`)
  } else {
    const [token, ...more] = (await kv.paginate(["token", round, chain])).entries
    if (!token || more.length > 0 || token.value < last) wrong.push(`token: ${round} ${chain} ${last}`)
  }
}

async function checkWhole() {
  let pairs = 0
  for await (const { key, value, versionstamp } of kv.list(["pair", "a"])) {
    const other = await kv.get(["pair", "b", ...key.slice(2)])
    if (other.value !== value || other.versionstamp !== versionstamp) wrong.push(`half: ${key.join(" ")}`)
    pairs++
  }
  if ((await kv.count(["pair", "b"])) !== pairs) wrong.push("half: a pair without its first")
  const total = (await stored(["total"])) ?? 0n
  if (total !== BigInt(pairs)) wrong.push(`total: ${total}, but ${pairs} pairs`)
  return pairs
}

for (const { round, kind, chain, last } of JSON.parse(readFileSync(acknowledged, "utf8"))) {
  await checkChain(round, kind, chain, last)
}
const pairs = await checkWhole()
await kv.set(["after", String(pairs)], "writable")
await kv.close()
printJson({ wrong, pairs })
