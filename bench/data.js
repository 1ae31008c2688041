import { Random } from "./random.js"

/**
 * Preloaded: `["items", group, index]`, 10 groups of 10,000, so that a list of one group is 10,000 entries.
 */
export const GROUPS = 10
export const GROUP_SIZE = 10_000
export const ENTRIES = GROUPS * GROUP_SIZE
/** Counters are drawn from `["counters", 0…999]`. */
export const COUNTERS = 1000

/** The key of the item with this number. */
export function itemKey(id) {
  return ["items", Math.floor(id / GROUP_SIZE), id % GROUP_SIZE]
}

/** The number of the item with this key. */
export function itemId([, group, index]) {
  return group * GROUP_SIZE + index
}

/** About 200 bytes of JSON, new bytes with every draw. */
export function newValue(id, random) {
  return {
    id,
    name: `Item number ${id}`,
    price: random.below(100_000) / 100,
    inStock: random.below(2) === 1,
    tags: ["benchmark", "item"],
    text: random.hex(96),
  }
}

/** An item as it is preloaded: always the same. */
export function item(id) {
  return { key: itemKey(id), value: newValue(id, new Random(id)) }
}
