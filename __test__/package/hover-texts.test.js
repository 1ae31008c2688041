// What an editor shows: every exported name of `index.d.ts`, every member and every overload has a doc
// comment.
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { read } from "../support/sources/documents.js"

/** The line begins a member of an object type. */
const MEMBER =
  /^\s+(?:static |readonly )*(?:(?:\[Symbol\.\w+\]|\[\w+: [^\]]+\]|"[^"]+"|\$?\w+)\??\s*[:(<]|[(<])/
/** What is in a union within one line. */
const INLINE_MEMBERS = /[{;] (?:readonly )?(\w+)\??:/g

/** How deep a line begins within parentheses and angle brackets; comments and strings do not count. */
function depthAfter(depth, line) {
  const code = line.replaceAll(/\/\*.*?\*\/|\/\/.*$|"[^"]*"|`[^`]*`|=>/g, "")
  return depth + (code.match(/[(<]/g)?.length ?? 0) - (code.match(/[)>]/g)?.length ?? 0)
}

/** Names without a doc comment, each with its line. */
function undocumented(source) {
  const found = []
  const lines = source.split("\n")
  let inComment = false
  let isPublic = false
  let depth = 0
  let count = 0
  for (const [at, line] of lines.entries()) {
    if (/^\s*\/\*\*/.test(line)) inComment = true
    const wasComment = inComment
    if (line.includes("*/")) inComment = false
    if (wasComment || line.trim() === "" || line.startsWith("//")) continue
    const isTop = /^\w/.test(line)
    if (isTop) isPublic = line.startsWith("export ")
    if (isPublic && depth === 0 && (isTop || MEMBER.test(line))) {
      count++
      if (!lines[at - 1]?.trimEnd().endsWith("*/")) found.push(`${at + 1}: ${line.trim()}`)
    }
    if (isPublic && depth === 0 && /^(export type|\s*\|)/.test(line))
      for (const [, name] of line.matchAll(INLINE_MEMBERS)) found.push(`${at + 1}: ${name}, within a line`)
    depth = Math.max(0, depthAfter(depth, line))
  }
  return { found, count }
}

describe("hover texts", () => {
  // Seen to fail: 83 of the members of 0.1.0 had none.
  test("every exported name, member and overload has one", () => {
    const { found, count } = undocumented(read("index.d.ts"))
    assert.ok(count > 300, `${count} names`)
    assert.deepEqual(found, [])
  })

  test("one without would be found", () => {
    const source = `/** A. */
export interface A {
  /** B. */
  b(
    c: string,
  ): void
  d: string
  readonly "e"?: string
  /** F. */
  <T>(f: T): void
}
/** G. */
export type G = { h: 1; i?: 2 } | { h: 2 }
export const j: number
type K = { l: string }
`
    const { found } = undocumented(source)
    assert.deepEqual(
      found.map((text) => text.replace(/^\d+: /, "")),
      [
        "d: string",
        'readonly "e"?: string',
        "h, within a line",
        "i, within a line",
        "h, within a line",
        "export const j: number",
      ],
    )
  })

  test("each main call has an example", () => {
    const kv = read("index.d.ts")
      .split(/^export class Kv \{$/m)[1]
      .split(/^\}$/m)[0]
    const calls = [
      "constructor",
      "get",
      "getMany",
      "list",
      "paginate",
      "count",
      "set",
      "setMany",
      "delete",
      "touch",
    ]
    calls.push(
      "search",
      "createIndex",
      "explain",
      "patch",
      "collection",
      "atomic",
      "transaction",
      "watch",
      "changes",
    )
    calls.push(
      "consumer",
      "enqueue",
      "listenQueue",
      "ackMessage",
      "dlq",
      "lock",
      "uuidv7",
      "commitVersionstamp",
      "now",
    )
    calls.push("backup", "metrics", "close")
    const without = calls.filter((name) => {
      const [before] = kv.split(new RegExp(`^  (?:readonly )?${name}\\b`, "m"))
      return !before.slice(before.lastIndexOf("/**")).includes("@example")
    })
    assert.deepEqual(without, [])
  })
})
