/**
 * Every limit that is checked on this side, with its unit in its name. Rust checks the others, and the exact
 * sizes.
 */

/** Arrays, objects, maps, sets and errors within one another. */
export const MAX_NESTING_DEPTH = 100

/** The magnitude of a bigint that `sum`, `max` or `min` takes, meets or makes. */
export const MAX_COUNTER_BYTES = 2048

/** A value as it is stored. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024

/** Keys of one `getMany` or batch delete. */
export const MAX_KEYS = 1000

/** Entries of one page of a list. */
export const MAX_PAGE_ENTRIES = 1000

/** Entries of one commit of `setMany`. */
export const MAX_LOAD_ENTRIES = 1000

/** Keys and values of one commit of `setMany`, in UTF-16 code units of their texts. */
export const MAX_LOAD_UNITS = 4 * 1024 * 1024

/** Messages that one listener handles at a time. */
export const MAX_CONCURRENCY = 1000

/** Changes of one `read` of a consumer, and of one page of a feed. */
export const MAX_READ_CHANGES = 1000

/** Dead letters of one `dlq.list`. */
export const MAX_DEAD_LETTERS = 1000

/** The largest `bufferSize` of a watch, in keys. */
export const MAX_BUFFER_KEYS = 10_000

/** Messages of ended handlers that can still be acknowledged; the oldest are forgotten first. */
export const MAX_RECEIPTS = 10_000
