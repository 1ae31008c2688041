import { ENTRIES, itemKey, newValue } from "../data.js"
import { Random } from "../random.js"

/** An item lies on one of so many shelves: a hundred on each. */
const SHELVES = 1_000
const ITEMS_A_SHELF = ENTRIES / SHELVES
const AT_ONCE = 64

const shelved = (id, random) => ({
  key: itemKey(id),
  value: { ...newValue(id, random), shelf: random.below(SHELVES) },
})

/** The items with their shelves, always the same; about 210 bytes each. */
export function* shelvedItems() {
  for (let id = 0; id < ENTRIES; id++) yield shelved(id, new Random(id))
}

/** The items on `count` adjacent shelves. */
const filtered = (count) => ({
  needs: "shelves",
  unit: "ms",
  atOnce: 1,
  chunk: 1,
  begin: (peer) => peer.shelves(),
  input(random) {
    const first = random.below(SHELVES - count)
    return [first, first + count - 1]
  },
  call: async (on, bounds) => {
    const found = []
    await on.listBetween(...bounds, (entry) => found.push(entry))
    return found
  },
  check([first, last], found) {
    const ids = found.map(({ value }) => value.id)
    const most = Math.abs(found.length - count * ITEMS_A_SHELF) < (count * ITEMS_A_SHELF) / 2
    const right = found.every(({ value: { shelf } }) => shelf >= first && shelf <= last)
    return most && right && ids.every((id, at) => at === 0 || ids[at - 1] < id)
  },
})

const set = {
  needs: "hasIndexes",
  atOnce: 1,
  chunk: 4 * AT_ONCE,
  begin: (peer) => peer.shelves(),
  input: (random) => shelved(random.below(ENTRIES), random),
  call: (on, { key, value }) => on.set(key, value),
  check: (_input, result) => result.ok,
}

/**
 * Rows of ordered indexes.
 *
 * @type {import("./rows.js").Row[]}
 */
export const indexRows = [
  { name: "filtered list of 100,000, indexed, 100 match, ms", ...filtered(1) },
  { name: "filtered list of 100,000, indexed, 1,000 match, ms", ...filtered(10) },
  { name: "set, an ordered index, one at a time", ...set },
  { name: "set, an ordered index, 64 at once", ...set, atOnce: AT_ONCE },
]
