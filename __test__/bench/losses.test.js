// The benchmark outlives its peers and its sections: what fails is named in the report, and everything else
// is measured. Its peers are real processes here, which answer without a store (`children/stand-in.js`), so
// nothing is built, installed or timed.
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { answerOf, linesOf } from "../../bench/child-process.js"
import { measureSections } from "../../bench/measure.js"
import { availablePeers } from "../../bench/peers.js"
import { Missing } from "../../bench/report/missing.js"
import { markdown, measure, title } from "../../bench/sections/comparison.js"
import { nodeOnly } from "../support/runtimes.js"
import { eventually } from "../support/waiting.js"
import { children, standIn } from "./stand-ins.js"

const ROW = "get, one at a time"
/** Of what never answers: however short, nothing else can be late. */
const SHORT = { deadlineMs: 100 }

describe("the benchmark", nodeOnly, () => {
  let folder
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "keyval-losses-"))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const compare = (roster) => measure({ folder, quick: true, rows: "get, one", roster, flush: () => {} })
  const reasons = ({ missing }) => Object.fromEntries(missing.map(({ what, reason }) => [what, reason]))

  // Seen to fail: one answer of SQLITE_BUSY ended a run of 24 minutes, and nothing was written; a peer that
  // hung was awaited for ever.
  test("a peer that fails before it is measured is missing, with its reason", async () => {
    const results = await compare([
      standIn("keyval", "well"),
      standIn("throws", "throws:load"),
      standIn("exits", "exits:validate"),
      standIn("garbage", "garbage:open"),
      standIn("says nothing", "nothing:open"),
      standIn("hangs", "hangs:open", SHORT),
      standIn("stops", "stops:open", SHORT),
      standIn("not there", "well", { program: join(children, "no-such-program.js") }),
      standIn("other", "well"),
    ])
    assert.deepEqual(results.samples, { keyval: { [ROW]: [5, 5] }, other: { [ROW]: [5, 5] } })
    assert.deepEqual(reasons(results), {
      throws: "SQLITE_BUSY: database is locked",
      exits: 'ended with 3 during "validate"',
      garbage: 'answered "open" with what is no answer: what a library prints',
      "says nothing": 'answered "open" with what is no answer: {}',
      hangs: 'did not answer "open" within 0.1 s and was killed',
      stops: 'did not answer "open" within 0.1 s and was killed',
      "not there": 'ended with 1 during "open"',
    })
    assert.match(markdown(results), /\| {2}\| than other \|/)
  })

  test("a peer that fails in a row keeps what was measured, and goes on if it can", async () => {
    const results = await compare([
      standIn("keyval", "well"),
      standIn("throws once", "throws:run:2"), // the first run is for warming up
      standIn("throws in warm-up", "throws:run:1"),
      standIn("exits", "exits:run:3"),
      standIn("garbage", "garbage:run:2"),
      standIn("does not close", "throws:close"),
    ])
    assert.deepEqual(results.samples, {
      keyval: { [ROW]: [5, 5] },
      "throws once": { [ROW]: [5] },
      "throws in warm-up": { [ROW]: [5, 5] },
      exits: { [ROW]: [5] },
      garbage: {},
      "does not close": { [ROW]: [5, 5] },
    })
    assert.deepEqual(reasons(results), {
      [`throws once: ${ROW}, repetition 1`]: "SQLITE_BUSY: database is locked",
      [`throws in warm-up: ${ROW}, warming up`]: "SQLITE_BUSY: database is locked",
      [`exits: ${ROW}, repetition 2`]: 'ended with 3 during "run"',
      [`garbage: ${ROW}, repetition 1`]: 'answered "run" with what is no answer: what a library prints',
      "does not close: closing": "SQLITE_BUSY: database is locked",
    })
    assert.match(markdown(results), /\| get, one at a time \| 1\.00× \| 1\.00× \| 1\.00× \| – \| 1\.00× \|/)
  })

  test("without KeyVal, and without anybody, there is a report too", async () => {
    const others = await compare([standIn("keyval", "throws:open"), standIn("other", "well")])
    assert.match(markdown(others), /\| get, one at a time \| 5\.00 /)
    const nobody = await compare([standIn("keyval", "throws:open")])
    assert.match(markdown(nobody), new RegExp(`## ${title}`))
  })

  // Seen to fail: the first section that threw ended the run before its report.
  test("a section that fails is named in the report, and the others are in it", async () => {
    const out = join(folder, "sections")
    const section = (name, run) => ({
      title: `About ${name}`,
      measure: run,
      markdown: ({ seen }) => `Seen: ${seen}`,
    })
    const sections = {
      throws: section("throws", () => {
        throw new Error("no space left\nand more")
      }),
      partial: section("partial", async ({ save }) => {
        await save({ seen: "the first half", missing: [{ what: "a peer", reason: "busy" }] })
        throw new Error("gone")
      }),
      shapeless: { ...section("shapeless", () => ({})), markdown: ({ seen }) => seen.length },
      whole: section("whole", () => ({
        seen: "all",
        missing: [{ what: "lmdb", reason: "not compiled", absent: true }],
      })),
    }
    const names = Object.keys(sections)
    const lost = await measureSections({ names, out, sections: names, load: async (name) => sections[name] })
    assert.deepEqual(
      lost.map(({ what, reason }) => [what, reason]),
      [
        ["the whole section", "no space left"],
        ["a peer", "busy"],
        ["the rest of the section", "gone"],
      ],
    )
    const text = readFileSync(join(out, "RESULTS.md"), "utf8")
    for (const part of [
      "## About throws\n\n### Missing",
      "| the whole section | no space left |",
      "Seen: the first half\n\n### Missing",
      "| a peer | busy |\n| the rest of the section | gone |",
      "## About shapeless\n\n### Missing",
      "Seen: all\n\n### Missing",
      "| lmdb | not compiled |",
    ])
      assert.ok(text.includes(part), `${part}\n\nis not in\n\n${text}`)
  })

  // Seen to fail: results were written when a section had ended.
  test("a run that is killed leaves what it has measured, and says that it was ended", async () => {
    const out = join(folder, "killed")
    const child = spawn(process.execPath, [join(children, "measures.js"), out], { stdio: "ignore" })
    const ended = new Promise((resolve) => child.on("close", resolve))
    try {
      const results = join(out, "results/comparison.json")
      await eventually(() => existsSync(join(out, "RESULTS.md")) && existsSync(results), "the first results")
    } finally {
      child.kill("SIGKILL")
      await ended
    }
    const { samples } = JSON.parse(readFileSync(join(out, "results/comparison.json"), "utf8"))
    assert.deepEqual(samples, { first: { [ROW]: [5] }, second: { [ROW]: [5] } })
    const text = readFileSync(join(out, "RESULTS.md"), "utf8")
    assert.match(text, /\| get, one at a time \| 5\.00 \(5\.00–5\.00\) \| 5\.00 \(5\.00–5\.00\) \|/)
    assert.match(text, /\*\*Unfinished\*\*/)
  })

  test("a program of a section that hangs, ends early or prints something else fails, and is gone", async () => {
    const program = join(children, "speaker.js")
    await assert.rejects(
      answerOf(program, ["hangs"], { silenceMs: 100 }),
      /printed nothing for 0\.1 s and was killed$/,
    )
    await assert.rejects(answerOf(program, ["garbage"]), /printed what is no JSON: what a library prints$/)
    await assert.rejects(answerOf(program, ["exits"]), /ended with 3$/)
    assert.deepEqual(await answerOf(program, ["well"]), { step: 1 })
    for await (const line of linesOf(program, ["hangs"])) {
      assert.deepEqual(line, { step: 1 })
      break // it is not awaited: nobody reads on
    }
    const stop = new AbortController()
    const lines = linesOf(program, ["hangs"], { signal: stop.signal })
    await lines.next()
    stop.abort()
    await assert.rejects(lines.next(), /aborted/)
  })

  test("another checkout is a peer in each runtime, and is what its processes open", async () => {
    const against = join(folder, "older")
    mkdirSync(join(against, "dist"), { recursive: true })
    writeFileSync(join(against, "package.json"), JSON.stringify({ version: "0.0.9", type: "module" }))
    writeFileSync(join(against, "dist/index.js"), 'export const version = "0.0.9"\nexport class Kv {}\n')
    const missing = new Missing()
    const peers = await availablePeers({ chosen: "keyval", against, missing })
    assert.deepEqual(
      peers.map(({ name, label }) => [name, label]),
      [
        ["keyval", "KeyVal (Node)"],
        ["keyval", "KeyVal (Bun)"],
        ["against", "KeyVal 0.0.9 (Node)"],
        ["against", "KeyVal 0.0.9 (Bun)"],
      ],
    )
    const older = peers.filter(({ name }) => name === "against")
    const results = await measure({ folder, quick: true, rows: "get, one", roster: older, flush: () => {} })
    // Its class has no calls.
    const reason = "kv.setMany is not a function"
    for (const { label } of older)
      assert.ok(
        results.missing.some((one) => one.what === label && one.reason.includes(reason)),
        JSON.stringify(results.missing),
      )
  })
})
