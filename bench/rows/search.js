import { Random } from "../random.js"

export const DOCUMENTS = 100_000
/** Words are drawn so that a few are in most documents and many in a few. */
const WORDS = 5_000
const WORDS_A_DOCUMENT = 30
/** Every document has the common word, one in this many the rare one. */
const RARE = 1_000
const RESULTS = 20
const MANY_RESULTS = 10_000
const AT_ONCE = 64

const wordOf = (random) => `w${Math.min(random.below(WORDS), random.below(WORDS), random.below(WORDS))}`

/** The text of a document: about 170 bytes. */
export function documentOf(id, random) {
  const words = Array.from({ length: WORDS_A_DOCUMENT }, () => wordOf(random))
  words.push("common")
  if (id % RARE === 0) words.push("rare")
  return { id, title: `Document ${id}`, text: words.join(" ") }
}

/** All of them, always the same. */
export function* documents() {
  for (let id = 0; id < DOCUMENTS; id++) yield documentOf(id, new Random(id))
}

const search = (word, results = RESULTS) => ({
  unit: "ms",
  needs: "documents",
  atOnce: 1,
  chunk: 4,
  input: () => word,
  begin: (peer) => peer.documents(),
  call: (on, query) => on.search(query, results),
  check: (query, found) => found.length === results && found.every(({ text }) => text.includes(query)),
})

const set = {
  needs: "documents",
  atOnce: AT_ONCE,
  chunk: 4 * AT_ONCE,
  begin: (peer) => peer.documents(),
  input: (random) => documentOf(random.below(DOCUMENTS), random),
  call: (on, document) => on.set(document),
  check: (_document, result) => result.ok,
}

/**
 * Rows of full-text search.
 *
 * @type {import("./rows.js").Row[]}
 */
export const searchRows = [
  { name: "search in 100,000 documents, a rare word, ms", ...search("rare") },
  { name: "search in 100,000 documents, a common word, ms", ...search("common") },
  { name: "search in 100,000 documents, 10,000 of a common word, ms", ...search("common", MANY_RESULTS) },
  { name: "set, indexed, 64 at once", ...set },
]
