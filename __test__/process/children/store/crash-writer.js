// crash-writer.js <file> <round> <chains>: writes until it is killed, and prints each acknowledgement.
import { Kv } from "@buntime/keyval"
import { print } from "../lines.js"

const [file, round, chains] = process.argv.slice(2)
const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })

async function writeEntries(chain) {
  for (let n = 0; ; n++) {
    await kv.set(["log", round, chain, n], { n, pad: "x".repeat((n * 37) % 3000) })
    print(`set ${chain} ${n}`)
  }
}

async function writePairs(chain) {
  for (let n = 0; ; n++) {
    const value = `${round}/${chain}/${n}`
    await kv
      .atomic()
      .set(["pair", "a", round, chain, n], value)
      .set(["last", round, chain], n)
      .sum(["total"], 1n)
      .set(["pair", "b", round, chain, n], value)
      .commit()
    print(`pair ${chain} ${n}`)
  }
}

/** Commits that delete what the one before wrote: at any moment exactly one token is there, or none yet. */
async function moveToken(chain) {
  await kv.set(["token", round, chain, 0], 0)
  for (let n = 1; ; n++) {
    const commit = kv.atomic().delete(["token", round, chain, n - 1])
    await commit.set(["token", round, chain, n], n).commit()
    print(`token ${chain} ${n}`)
  }
}

print("ready")
for (let at = 0; at < Number(chains); at++) {
  void writeEntries(`s${at}`)
  void writePairs(`p${at}`)
  void moveToken(`t${at}`)
}
