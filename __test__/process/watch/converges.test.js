import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { sweep } from "../../../dist/testing.js"
import { sleep, until, withCrew } from "../../support/crew.js"
import { Random } from "../../support/random.js"
import { nodeOnly, runtimes } from "../../support/runtimes.js"
import { GROUPS, isWatched, MEMBERS, nameOf } from "../children/watch/keys.js"

const KILLS = Number(process.env.KEYVAL_KILLS ?? 10)
const SEED = Number(process.env.KEYVAL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const LAST_KILLS = 2
const SOME_KEYS = Array.from({ length: 20 }, (_, at) => ["w", at % GROUPS, ...(at < 10 ? [] : [at])])

/** Watchers that live through it all, and those that are killed and go on from where their map is. */
const STEADY = [
  { target: ["w", 3] },
  { target: { prefix: ["w"] }, slowMs: 50 },
  { target: SOME_KEYS, exact: true, iterate: true },
  { target: { prefix: [] }, iterate: true, slowMs: 5 },
]
const KILLED = [
  { target: { prefix: ["w"] }, slowMs: 250 },
  { target: [["w", 1], ["w1"], ["w", "commits"]], slowMs: 1 },
]

/** More than two batches of a current state. */
async function fill(kv) {
  const keys = Array.from({ length: GROUPS * MEMBERS }, (_, at) => [
    "w",
    at % GROUPS,
    Math.floor(at / GROUPS),
  ])
  await kv.setMany(
    [...keys, ["w", 3], ["w10", 3], ["v"]].map((key) => ({ key, value: { pad: "x".repeat(300) } })),
  )
}

async function contentOf(kv) {
  const entries = []
  for await (const { key, value, versionstamp } of kv.list({ prefix: [] }))
    entries.push({
      key,
      reported: { value: typeof value === "bigint" ? String(value) : value, versionstamp },
    })
  return entries
}

async function expectedOf(kv, what) {
  return (await contentOf(kv))
    .filter(({ key }) => isWatched(what, key))
    .map(({ key, reported }) => [nameOf(key), reported])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Both as they stand; the names on which they differ. */
function differences(state, expected) {
  const [a, b] = [state, expected].map(
    (list) => new Map(list.map(([name, reported]) => [name, JSON.stringify(reported)])),
  )
  return [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name))
}

async function converged(kv, { what, member }) {
  let last
  await until(
    async () => {
      last = JSON.parse(await member.ask("state", /^\{"state"/))
      last.differs = differences(last.state, await expectedOf(kv, what))
      return last.differs.length === 0
    },
    () =>
      `${member.what} differs in ${last.differs.length} of ${last.state.length} keys: ${last.differs.slice(0, 5)}`,
    120_000,
  )
  assert.deepEqual(last.wrong, [], member.what)
  return last.reported
}

/**
 * Law 5. Kills writers and watchers on one file, and gives what all watchers received when the last write is
 * over.
 */
async function follow({ crew, kv, file, folder }, { kills, random, trim = false }) {
  await fill(kv)
  let lives = 0
  const write = () => ({
    ready: /writing/,
    member: crew.launch(runtimes[lives++ % 2], "watch/writer.js", [file, random.int(2 ** 30)]),
  })
  const watch = (what, place = undefined) => ({
    what,
    ready: /watching/,
    member: crew.launch(runtimes[lives++ % 2], "watch/watcher.js", [
      file,
      JSON.stringify(what),
      ...(place === undefined ? [] : [join(folder, place)]),
    ]),
  })
  const steady = STEADY.map((what) => watch(what))
  const killed = KILLED.map((what, at) => watch(what, `map${at}`))
  const writers = [write(), write()]
  for (let kill = 0; kill < kills; kill++) {
    await sleep(50 + random.int(300))
    const at = random.int(2)
    const group = random.chance(0.5) ? writers : killed
    const victim = group[at]
    await victim.member.says(victim.ready)
    await victim.member.kill()
    group[at] = group === writers ? write() : watch(KILLED[at], `map${at}`)
  }
  for (const { member } of writers) await member.says(/writing/)
  await sleep(random.int(100))
  await Promise.all(writers.map(({ member }) => member.end()))
  // The slowest one is killed between the batches of this.
  await fill(kv)
  for (let kill = 0; kill < LAST_KILLS; kill++) {
    await killed[0].member.says(/watching/)
    await sleep(random.int(300))
    await killed[0].member.kill()
    killed[0] = watch(KILLED[0], "map0")
  }
  if (trim) {
    // One that has a map is away while more is written and what it has not read is trimmed.
    await until(() => existsSync(join(folder, "map1")), "no map is kept")
    await killed[1].member.kill()
    await fill(kv)
    await sleep(50)
    await sweep(kv)
    killed[1] = watch(KILLED[1], "map1")
  }
  // Nobody sweeps any more but those who watch.
  for (let at = 0; at < GROUPS; at++)
    await kv.set(["w", at, at], "soon gone", { expiresIn: 100 + random.int(300) })
  const watchers = [...steady, ...killed]
  const reported = []
  for (const watcher of watchers) reported.push(await converged(kv, watcher))
  await Promise.all(watchers.map(({ member }) => member.end()))
  return reported
}

const add = (reported, name) => reported.reduce((sum, one) => sum + one[name], 0)

function report(t, kv, reported) {
  const sums = Object.fromEntries(
    ["batches", "entries", "initial", "resets"].map((name) => [name, add(reported, name)]),
  )
  t.diagnostic(JSON.stringify({ kills: KILLS, ...sums, ...kv }))
}

/**
 * Law 5. Seen to fail: give a batch that was cut the token of the whole, or a part of the current state the
 * newest one; do not notice that the log was trimmed; do not look for what has expired.
 */
describe(`process: watches converge (KEYVAL_SEED=${SEED})`, nodeOnly, () => {
  test(`${KILLS} kills among writers and watchers`, { timeout: 600_000 + KILLS * 10_000 }, (t) =>
    withCrew(async (place) => {
      const reported = await follow(place, { kills: KILLS, random: new Random(SEED) })
      report(t, { commits: String((await place.kv.get(["w", "commits"])).value) }, reported)
      assert.equal(add(reported, "resets"), 0, "the log was kept, and a watch has begun anew")
    }),
  )

  // What a watcher has not read yet is swept away: it starts over.
  test("the log is trimmed before they have read it", { timeout: 600_000 + KILLS * 10_000 }, (t) =>
    withCrew(
      async (place) => {
        const reported = await follow(place, {
          kills: Math.ceil(KILLS / 2),
          random: new Random(SEED + 1),
          trim: true,
        })
        report(t, {}, reported)
        assert.ok(add(reported, "resets") > 0, "no watch had to begin anew")
      },
      { retention: "20ms" },
    ),
  )
})
