/**
 * Numbers that Rust and TypeScript both know; a test compares each with the constant of the same name in
 * `src/`.
 */

/** When a commit issues a versionstamp. */
export const STAMP_ALWAYS = 0
export const STAMP_IF_CHANGED = 1
export const STAMP_NEVER = 2

/** The kind of a counter mutation. */
export const ARITHMETIC_SUM = 0
export const ARITHMETIC_MAX = 1
export const ARITHMETIC_MIN = 2

/** The reach of a watched key. */
export const REACH_EXACT = 0
export const REACH_TREE = 1
export const REACH_UNDER = 2

/** Flags of a batch of a watch. */
export const BATCH_INITIAL = 1
export const BATCH_RESET = 2
/** There is a batch. */
export const BATCH_PRESENT = 4
/** The watch is to be asked once more. */
export const BATCH_AGAIN = 8

/** How an attempt to handle a message ended. */
export const END_DONE = 0
export const END_FAILED = 1
export const END_RETURNED = 2
export const END_RELEASED = 3
export const END_UNREADABLE = 4

/** Reasons of a notice. */
export const NOTICE_CHANGES = 1
export const NOTICE_QUEUE = 2
export const NOTICE_ELSEWHERE = 4
export const NOTICE_TIME = 8
export const NOTICE_LEASE = 16

/** The kind of an awaited name. */
export const WAIT_QUEUE = 0
export const WAIT_LEASE = 1

/** Set in the flags of an entry whose key has tagged parts; the lower bits are the value's encoding. */
export const KEY_IS_TAGGED = 16
/** Set where Rust has seen that the value cannot be read. */
export const VALUE_IS_DAMAGED = 32
export const VALUE_IS_TOO_DEEP = 64
export const ENCODING_IS_UNKNOWN = 128
