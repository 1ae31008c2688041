// Links between the documents: the file is in the tree, the heading is in the file.
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { existsSync, statSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { describe, test } from "node:test"
import { root } from "../support/runtimes.js"
import { anchorsOf, pages, prose, read } from "../support/sources/documents.js"

const documents = [...pages, "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]

/** Targets of the links of a page, but for those to other sites. */
const linksOf = (text) =>
  [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target).filter((to) => !/^\w+:/.test(to))

/** What is wrong with a link, or nothing. */
function faultOf(page, link) {
  const [path, anchor] = link.split("#")
  const target = path === "" ? page : normalize(join(dirname(page), path))
  if (target.startsWith("..") || !existsSync(join(root, target))) return `${link}: no such file`
  if (anchor === undefined || statSync(join(root, target)).isDirectory()) return
  if (!anchorsOf(read(target)).includes(anchor)) return `${link}: no such heading`
}

describe("links", () => {
  for (const page of documents)
    test(`${page} leads somewhere`, () => {
      const faults = linksOf(read(page)).map((link) => faultOf(page, link))
      assert.deepEqual(faults.filter(Boolean), [])
    })

  // Seen to fail: 31 links of 0.1.0, to examples, the architecture, the benchmark's results and sources.
  test("every link of a packed page leads to a packed file", () => {
    const [{ files }] = JSON.parse(
      execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: root, encoding: "utf8", stdio: "pipe" }),
    )
    const packed = files.map(({ path }) => path)
    const isPacked = (path) => packed.includes(path) || packed.some((file) => file.startsWith(`${path}/`))
    const dead = packed
      .filter((page) => page.endsWith(".md"))
      .flatMap((page) =>
        linksOf(read(page))
          .filter((link) => !link.startsWith("#"))
          .filter((link) => !isPacked(normalize(join(dirname(page), link.split("#")[0])).replace(/\/$/, "")))
          .map((link) => `${page}: ${link}`),
      )
    assert.ok(packed.length > 50)
    assert.deepEqual(dead, [])
  })

  test("a link to nothing would be found", () => {
    assert.deepEqual(linksOf("[a](b.md#c) `[x](y)` [d](https://e.org) [f](#g)"), ["b.md#c", "#g"])
    assert.match(faultOf("docs/limits.md", "no-such-page.md"), /no such file/)
    assert.match(faultOf("docs/limits.md", "#no-such-heading"), /no such heading/)
    assert.match(faultOf("docs/limits.md", "../../outside.md"), /no such file/)
    assert.equal(faultOf("docs/limits.md", "errors.md#codes"), undefined)
  })

  test("the index names every page", () => {
    const index = linksOf(read("docs/README.md"))
    for (const page of pages)
      if (page.startsWith("docs/") && page !== "docs/README.md")
        assert.ok(index.includes(page.slice("docs/".length)), `docs/README.md does not name ${page}`)
  })
})
