//! Every limit, with its unit in its name.

/// The most parts of a key.
pub const MAX_KEY_PARTS: usize = 20;
/// A string part of a key, in UTF-16 code units.
pub const MAX_KEY_STRING_UNITS: usize = 1024;
/// A `Uint8Array` part of a key.
pub const MAX_KEY_BYTES_PART_BYTES: usize = 1024;
/// The magnitude of a bigint part of a key.
pub const MAX_KEY_BIGINT_BYTES: usize = 1024;
/// A value as it is stored.
pub const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;
/// Keys of one `getMany`, or of one batch delete.
pub const MAX_KEYS: usize = 1000;
/// Checks and mutations of one commit.
pub const MAX_COMMIT_OPERATIONS: usize = 1000;
/// The values of one commit, as they are stored; and its keys, as much again.
pub const MAX_COMMIT_BYTES: usize = 16 * 1024 * 1024;
/// Times to live and other durations: 100 years of 365 days.
pub const MAX_DURATION_MS: i64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// What one answer on the JavaScript thread may hold before the reader thread gives it instead.
pub const MAX_INLINE_BYTES: usize = 256 * 1024;
/// Entries that one tick may read on the JavaScript thread.
pub const MAX_INLINE_KEYS: usize = 512;
/// Entries of one page of a list.
pub const MAX_PAGE_ENTRIES: usize = 1000;
/// A page ends with the entry that reaches this size. Larger texts are costly: V8 keeps strings from 128 KiB on apart, in
/// memory that it asks of the system each time (seen: a tenth of a list).
pub const MAX_PAGE_BYTES: usize = 96 * 1024;
/// Entries that one step of the sweep removes; writes go between two steps.
pub const SWEEP_STEP_ENTRIES: usize = 500;
