// Refuses words in the pages that users and contributors read for which English has a plainer one: `node scripts/words.mjs`.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fail, root } from "./support.mjs"

const WORDS = [
  [/\btold\b/gi, "called with, reported, delivered"],
  [/\banew\b/gi, "again"],
  [/\bstands\b(?! for\b)/gi, "is, exists, is stored"],
  [/(?<!\b(?:all|some|none|each) )\bof which\b/gi, "whose"],
  [/\bwho wants\b/gi, "a noun and that"],
]
const PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "index.d.ts"]
for (const page of readdirSync(join(root, "docs"))) if (page.endsWith(".md")) PAGES.push(`docs/${page}`)

const found = PAGES.flatMap((page) =>
  readFileSync(join(root, page), "utf8")
    .split("\n")
    .flatMap((line, at) =>
      WORDS.flatMap(([word, better]) =>
        // Code may be named as it likes.
        [...line.replace(/`[^`]*`/g, "").matchAll(word)].map(
          ([text]) => `${page}:${at + 1}: ${JSON.stringify(text)}; say ${better}`,
        ),
      ),
    ),
)
if (found.length > 0) fail(`Plainer words are wanted:\n${found.join("\n")}`)
