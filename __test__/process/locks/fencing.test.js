import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Kv } from "@buntime/keyval"
import { Crew, readJournal, sleep, until } from "../../support/crew.js"
import { Random } from "../../support/random.js"
import { nodeOnly, runtimes } from "../../support/runtimes.js"
import { tempFolder } from "../../support/targets.js"
import { journal } from "../children/lines.js"

const KILLS = Number(process.env.KEYVAL_KILLS ?? 8)
const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const DURATION_MS = 150
const HOLDERS = 4

/** What was held when: one at a time, each token larger than the one before, one owner for each. */
function check(lines) {
  const wrong = []
  const reported = { holds: 0, refreshes: 0, accepted: 0, refused: 0, late: 0, freed: [] }
  /**
   * @type {{ name: string, token: bigint, expiresAt: number, owner: string, given: boolean, killed: boolean }
   * | null}
   */
  let held = null
  /** When the line of a `hold` was there, at the latest; one that was killed has not reported. */
  const notedAt = (name, line) => {
    const found = lines.find(([event, who], at) => at > line && event === "noted" && who === name)
    return found ? Number(found[2]) : Number.POSITIVE_INFINITY
  }
  const events = {
    hold(line, name, text, now, expires, owner) {
      const [token, at, expiresAt] = [BigInt(text), Number(now), Number(expires)]
      reported.holds++
      if (held && token === held.token) {
        reported.refreshes++
        if (owner !== held.owner) wrong.push(`${token} belongs to ${held.owner} and to ${owner}`)
      } else if (held && token < held.token) {
        // Unless the process stood still between the two, and has lost it meanwhile.
        if (notedAt(name, line) < expiresAt) wrong.push(`${name} has ${token} after ${held.token}`)
        return
      } else if (held) {
        if (!held.given && at < held.expiresAt)
          wrong.push(`${name} has ${token} at ${at}, and ${held.name} ${held.token} until ${held.expiresAt}`)
        if (held.killed && !held.given) reported.freed.push(at - held.expiresAt)
      }
      held = { name, token, expiresAt, owner, given: false, killed: false }
    },
    release(_line, name, token) {
      if (held?.name === name && held.token === BigInt(token)) held.given = true
    },
    killing(_line, name) {
      if (held?.name === name) held.killed = true
    },
    noted: () => {},
    late: () => reported.late++,
    released: () => {},
    accepted: () => reported.accepted++,
    refused: () => reported.refused++,
  }
  for (const [line, [event, ...words]] of lines.entries()) events[event](line, ...words)
  return { wrong, reported }
}

/** The tokens that what is protected has accepted, in the order of the commits. */
async function acceptedTokens(kv) {
  const tokens = []
  for await (const { key, value } of kv.changes()) if (key[0] === "guarded") tokens.push(value.token)
  return tokens
}

/** The newest holder by the journal, if it has not given its lock back. */
function holder(path) {
  const last = readJournal(path).findLast(([event]) => event === "hold" || event === "release")
  return last?.[0] === "hold" ? last[1] : undefined
}

/**
 * Seen to fail: the same token each time; a lock that is held is taken now and then; what has expired is free
 * only when it was swept.
 */
describe(`process: locks (KEYVAL_SEED=${SEED})`, nodeOnly, () => {
  // What has expired is free, swept or not; and a token is larger than those that were swept.
  for (const sweepMs of [0, 20]) {
    test(`${KILLS} kills of whoever holds it, ${sweepMs ? `a sweep every ${sweepMs} ms` : "no sweep"}`, {
      timeout: 600_000 + KILLS * 10_000,
    }, async (t) => {
      const folder = tempFolder()
      const crew = new Crew()
      const [file, path] = ["store.db", "journal"].map((name) => join(folder.path, name))
      const kv = new Kv(file, { busyTimeout: "1m", sweepInterval: 0, changeLog: "values" })
      const random = new Random(SEED)
      const note = journal(path)
      const members = new Map()
      let lives = 0
      // One of them has a name: begun again, it has its lock still.
      const begin = (named) => {
        const name = `h${lives}`
        const args = [
          file,
          path,
          name,
          random.int(2 ** 30),
          DURATION_MS,
          sweepMs,
          ...(named ? ["the named one"] : []),
        ]
        members.set(name, { named, member: crew.launch(runtimes[lives++ % 2], "locks/holder.js", args) })
      }
      try {
        for (let at = 0; at < HOLDERS; at++) begin(at === 0)
        await Promise.all([...members.values()].map(({ member }) => member.says(/trying/)))
        for (let kill = 0; kill < KILLS; kill++) {
          await sleep(random.int(500))
          const name = await until(() => {
            const newest = holder(path)
            return members.has(newest) && newest
          }, "nobody has the lock")
          const victim = members.get(name)
          note("killing", name)
          await victim.member.kill()
          members.delete(name)
          begin(victim.named)
        }
        await Promise.all([...members.values()].map(({ member }) => member.says(/trying/)))
        const from = readJournal(path).filter(([event]) => event === "hold").length
        await until(
          () => readJournal(path).filter(([event]) => event === "hold").length > from + HOLDERS,
          "nobody takes the lock any more",
        )
        await Promise.all([...members.values()].map(({ member }) => member.end()))
        const { wrong, reported } = check(readJournal(path))
        const tokens = await acceptedTokens(kv)
        t.diagnostic(JSON.stringify({ kills: KILLS, ...reported }))
        assert.deepEqual(wrong, [])
        assert.deepEqual(
          tokens,
          [...tokens].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
          "a smaller token was accepted",
        )
        // A killed writer may have been accepted and not have noted it.
        assert.ok(tokens.length >= reported.accepted, `${tokens.length} accepted, ${reported.accepted} noted`)
        // A machine may hold up whoever takes it next, but not each time.
        assert.ok(
          reported.freed.length === 0 || Math.min(...reported.freed) < 10_000,
          `free ${reported.freed} ms late`,
        )
        await until(async () => !(await kv.lock.status("the lock")).held, "the lock does not end by itself")
      } finally {
        await crew.dismiss()
        await kv.close()
        folder.dispose()
      }
    })
  }
})
