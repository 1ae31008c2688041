//! Every limit, with its unit in its name.

use super::error::{Error, Result};

/// The most parts of a key.
pub const MAX_KEY_PARTS: usize = 20;
/// A string part of a key, in UTF-16 code units.
pub const MAX_KEY_STRING_UNITS: usize = 1024;
/// A `Uint8Array` part of a key.
pub const MAX_KEY_BYTES_PART_BYTES: usize = 1024;
/// The magnitude of a bigint part of a key.
pub const MAX_KEY_BIGINT_BYTES: usize = 1024;
/// The magnitude of a bigint that a counter's mutation takes, meets or makes. Stored numbers are decimal, and
/// the way from and to binary takes a time that grows with the square of the size: of so many bytes it is
/// under 1 ms.
pub const MAX_COUNTER_BYTES: usize = 2048;
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

/// A name of a queue, a lock or a consumer, an ordering key, a deduplication key, an owner of a lock: UTF-8.
pub const MAX_NAME_BYTES: usize = 1024;
/// Waits of a backoff schedule.
pub const MAX_BACKOFF_STEPS: usize = 100;
/// Keys that an undelivered message is written to.
pub const MAX_UNDELIVERED_KEYS: usize = 100;
/// The error of a dead letter; a longer one is cut.
pub const MAX_ERROR_MESSAGE_BYTES: usize = 8 * 1024;
/// The leases of messages and consumers.
pub const MIN_LEASE_MS: i64 = 100;
/// The leases of messages and consumers: a day.
pub const MAX_LEASE_MS: i64 = 24 * 60 * 60 * 1000;
/// Keys that one watch names.
pub const MAX_WATCHED_KEYS: usize = 1000;
/// Changed keys that one batch of a watch delivers, if `bufferSize` is not given.
pub const MAX_WATCH_BATCH_KEYS: usize = 500;
/// A batch of changes ends with the entry that reaches this size, so that 500 small ones are one; if
/// `bufferSize` is not given.
pub const MAX_WATCH_BATCH_BYTES: usize = 192 * 1024;
/// Changed keys that a watch has not delivered yet, at most: about 4 MB. Later changes wait in the log.
pub const MAX_BACKLOG_KEYS: usize = 20_000;
/// The same of all watches of a `Kv` together; each has its share of them, and a batch at least.
pub const MAX_ALL_BACKLOGS_KEYS: usize = 200_000;
/// The keys of one watch by the size that they are encoded in: 2 MiB; of a smaller part a smaller one.
pub const MAX_BACKLOG_BYTES: usize = 2 * 1024 * 1024;
/// The largest `bufferSize`.
pub const MAX_BUFFER_KEYS: usize = 10_000;

/// Different words of one search; those after them do not count.
pub const MAX_QUERY_WORDS: usize = 1000;
/// Fields of one index.
pub const MAX_INDEX_FIELDS: usize = 16;
/// Conditions of one filter, and values of one `$in`.
pub const MAX_FILTER_CONDITIONS: usize = 1000;
/// Nested conditions of a filter.
pub const MAX_FILTER_DEPTH: usize = 100;

/// Messages are handed to a listener together up to this size of their values; a larger one alone.
pub const MAX_CLAIM_BYTES: usize = 8 * 1024 * 1024;
/// Messages that a claim reads; those behind a busy ordering key are skipped.
pub const MAX_CLAIM_LOOKS: usize = 2_000;
/// Queues and leases that one look reads on the JavaScript thread; if there are more, the reader thread does.
pub const MAX_INLINE_DUES: usize = 64;
/// Between two looks at queues and leases while the file shows no reason for one: a version that records no
/// reasons may write to it, too.
pub const AWAITED_LOOK_MS: i64 = 1000;
/// Rows of the change log that are read at a time on the JavaScript thread.
pub const MAX_INLINE_LOG_ROWS: usize = 1_000;
/// Rows of the change log that are read at a time on the reader thread.
pub const MAX_LOG_ROWS: usize = 50_000;
/// Entries that do not match, after which a page of a filtered list ends: the list goes on with the next one.
pub const MAX_FILTERED_ROWS: usize = 20_000;
/// Entries that an index may give for a filter; if it gives more, the range is read in order instead.
pub const MAX_INDEXED_KEYS: usize = 10_000;
/// The same on the JavaScript thread; if it gives more, the reader thread answers.
pub const MAX_INLINE_INDEXED_KEYS: usize = 2_000;
/// Of those, entries that one page looks at on the JavaScript thread; the list goes on with the next one.
pub const MAX_INLINE_FILTERED_ROWS: usize = 250;
/// Matches of a search of many pages that are found at once and kept in their order; for those after them the
/// search runs again.
pub const MAX_RANKED_KEYS: usize = 20_000;
/// The budget of a page of a list on the JavaScript thread, in steps of SQLite's machine: among expired
/// entries about 5 ms, of live ones it takes a tenth. Then it is read again on the reader thread.
pub const MAX_INLINE_SCAN_STEPS: u32 = 200_000;
/// The budget of a search on the JavaScript thread; then it runs again on the reader thread.
pub const MAX_INLINE_SEARCH_MS: u64 = 1;
/// The size of an answer on the JavaScript thread, above which the reader thread gives it instead.
pub const MAX_INLINE_BYTES: usize = 256 * 1024;
/// Entries that one tick may read on the JavaScript thread.
pub const MAX_INLINE_KEYS: usize = 512;
/// Entries of one page of a list.
pub const MAX_PAGE_ENTRIES: usize = 1000;
/// A page ends with the entry that reaches this size. Larger texts are costly: V8 keeps strings from 128 KiB
/// on apart, in memory that it asks of the system each time (seen: a tenth of a list).
pub const MAX_PAGE_BYTES: usize = 96 * 1024;
/// Entries that one step of the sweep removes; writes go between two steps.
pub const SWEEP_STEP_ENTRIES: usize = 500;
/// Messages that a sweep checks for whether any claim would find them; the next sweep goes on behind them.
pub const CHECKED_MESSAGES: usize = 2_000;
/// Changes, or dead letters, that one step of a trim or a purge removes.
pub const TRIM_STEP_ROWS: usize = 10_000;
/// The change log is kept for a consumer that was in use within this time: a week.
pub const CONSUMER_IN_USE_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Refuses an invalid name; the caller says of what.
///
/// # Errors
/// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
pub fn check_name(text: &str) -> Result<()> {
    if text.is_empty() || text.contains('\0') {
        let message = format!("it is empty or holds a NUL; give 1 to {MAX_NAME_BYTES} bytes of text");
        return Err(Error::invalid(message));
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(Error::limit(text.len(), MAX_NAME_BYTES, "bytes"));
    }
    Ok(())
}
