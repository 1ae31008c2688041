// syncs.js <peer> <file> <one|many> <rounds>: makes that many awaits of one set, or of 64 at once, and ends.
// It runs under strace, in the peer's own runtime.
import process from "node:process"

const [, , name, file, how, rounds] = process.argv
const { open } = await import(`../peers/${name}.js`)
const peer = await open(file)
const atOnce = how === "many" ? 64 : 1
for (let round = 0; round <= Number(rounds); round++) {
  const sets = Array.from({ length: atOnce }, (_, at) => peer.set(["n", at], { round, at }))
  await Promise.all(sets)
}
await peer.close()
process.exit()
