// What the programs of the soak agree on: `scripts/soak.mjs`, `writer.js`, `check.js`, `watch.js`.

export const ACCOUNTS = 8
export const MONEY = 1000
/** Sums that a writer hands over at once. */
export const SUMS = 4
/** Entries of a prefix that is written by one commit and deleted by another. */
export const BATCH = 20
/** Keys of a writer that large values are written to in turn. */
export const SLOTS = 4
/** The chains of a writer; each awaits a write before the next. */
export const CHAINS = ["log0", "log1", "moved0", "moved1", "counter", "ttl", "batch", "large"]

export const accountKeys = Array.from({ length: ACCOUNTS }, (_, at) => ["account", at])

/** 100 KB to 2 MB that only their number makes. */
export function largeText(n) {
  const size = 100_000 + ((n * 131_071) % 1_900_000)
  return `${n}:`.repeat(Math.ceil(size / (`${n}`.length + 1))).slice(0, size)
}
