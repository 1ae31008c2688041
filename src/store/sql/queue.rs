//! Statements of `kv_queue`. `(queue, status, ready_at, seq)` and
//! `(queue, ordering_key, status, ready_at, seq)` are indexes.

/// A message's columns, as the store reads them; with further ones.
macro_rules! concat_message {
    ($rest:literal) => {
        concat_message!($rest, "")
    };
    ($rest:literal, $columns:literal) => {
        concat!(
            "SELECT id, seq, queue, status, ready_at, attempts, max_attempts, backoff_schedule, keys_if_undelivered,
               ordering_key, deduplication_key, lease, locked_until, created_at, encoding, value, rowid",
            $columns,
            " FROM kv_queue ",
            $rest
        )
    };
}

/// A time that is a text, in a damaged row, is no time: texts come after all numbers.
pub const QUEUE_DUE: &str =
    "SELECT min(at) FROM (
       SELECT min(ready_at) AS at FROM kv_queue WHERE queue = ?1 AND status = 'pending' AND ready_at < ''
       UNION ALL
       SELECT min(CASE WHEN locked_until > ?2 AND locked_until < ?3 THEN locked_until + ?3 - ?2 ELSE locked_until END)
       FROM kv_queue WHERE queue = ?1 AND status = 'processing' AND locked_until < '')";

/// Bytes, in a damaged row, are no name; they come after all texts.
pub const NEXT_QUEUE: &str =
    "SELECT queue FROM kv_queue WHERE queue >= ?1 AND queue < x'' ORDER BY queue LIMIT 1";

/// Positions and rows of messages both ascend, so the newest messages are the last rows.
pub const NEWEST_MESSAGES: &str = "SELECT seq, queue FROM kv_queue ORDER BY rowid DESC LIMIT ?1";

/// The index has the status; the table, with all values in it, is asked for the few that are being handled.
pub const ALL_QUEUE_STATS: &str =
    "SELECT (SELECT count(*) FROM kv_queue) - processing, processing, (SELECT count(*) FROM kv_dlq)
     FROM (SELECT count(*) AS processing FROM kv_queue INDEXED BY kv_queue_ready
       WHERE status = 'processing' AND (locked_until > ?1 OR locked_until > ?2 AND locked_until < ?3))";

pub const QUEUE_STATS: &str =
    "SELECT (SELECT count(*) FROM kv_queue WHERE queue = ?4) - processing, processing,
       (SELECT count(*) FROM kv_dlq WHERE queue = ?4)
     FROM (SELECT count(*) AS processing FROM kv_queue WHERE queue = ?4
       AND status = 'processing' AND (locked_until > ?1 OR locked_until > ?2 AND locked_until < ?3))";

pub const DUPLICATE_MESSAGE: &str =
    "SELECT id, rowid FROM kv_queue WHERE queue = ?1 AND deduplication_key = ?2";

pub const INSERT_MESSAGE: &str =
    "INSERT INTO kv_queue (id, seq, queue, status, ready_at, max_attempts, backoff_schedule,
       keys_if_undelivered, ordering_key, deduplication_key, created_at, updated_at, encoding, value)
     VALUES (?1, ?2, ?3, ?13, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12)";

pub const LAPSED_MESSAGES: &str = concat_message!(
    "WHERE queue = ?1 AND status = 'processing' AND locked_until <= ?2
       AND NOT (locked_until > ?4 AND locked_until < ?5) ORDER BY ready_at, seq LIMIT ?3"
);

/// The last column: whether another message of the ordering key is being handled, or waits to be tried again.
pub const READY_MESSAGES: &str = concat_message!(
    "WHERE queue = ?1 AND status = 'pending' AND ready_at <= ?2 ORDER BY ready_at, seq LIMIT ?3",
    ", ordering_key IS NOT NULL AND (
       EXISTS (SELECT 1 FROM kv_queue AS front WHERE front.queue = ?1 AND front.ordering_key = kv_queue.ordering_key
         AND front.status = 'processing' AND front.id <> kv_queue.id)
       OR EXISTS (SELECT 1 FROM kv_queue AS front WHERE front.queue = ?1 AND front.ordering_key = kv_queue.ordering_key
         AND front.status = 'pending' AND front.attempts > 0 AND front.id <> kv_queue.id))"
);

pub const LEASED_MESSAGE: &str = concat_message!("WHERE id = ?1 AND lease = ?2 AND status = 'processing'");

pub const IS_BEHIND_KEY: &str =
    "SELECT 1 FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND status = 'processing'
     UNION ALL
     SELECT 1 FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND status = 'pending' AND ready_at <= ?3
     UNION ALL
     SELECT 1 FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND status = 'pending' AND ready_at > ?3
       AND attempts > 0 LIMIT 1";

pub const BLOCK_LATER: &str = "UPDATE kv_queue SET status = 'blocked'
     WHERE queue = ?1 AND ordering_key = ?2 AND status = 'pending' AND ready_at > ?3";

pub const CLAIM: &str =
    "UPDATE kv_queue SET status = 'processing', attempts = attempts + 1, lease = lease + 1, locked_until = ?3,
       updated_at = ?4
     WHERE id = ?1 AND lease = ?2 AND status <> 'blocked'";

pub const BLOCK: &str = "UPDATE kv_queue SET status = 'blocked', updated_at = ?3 WHERE id = ?1 AND lease = ?2 AND status = 'pending'";

pub const RETURN: &str =
    "UPDATE kv_queue SET status = 'pending', ready_at = coalesce(?3, ready_at), attempts = ?4, locked_until = NULL,
       updated_at = ?5
     WHERE id = ?1 AND lease = ?2 AND status = 'processing' RETURNING queue";

/// The row that is to be removed, by `DELETE_MESSAGE_AT`: `RETURNING` would make a table in memory for it
/// each time.
pub const LEASED_ROW: &str =
    "SELECT rowid, queue, ordering_key FROM kv_queue WHERE id = ?1 AND lease = ?2 AND status = 'processing'";

pub const EXTEND_LEASE: &str =
    "UPDATE kv_queue SET locked_until = ?3 WHERE id = ?1 AND lease = ?2 AND status = 'processing'";

pub const UNBLOCK: &str = "UPDATE kv_queue SET status = 'pending' WHERE id =
       (SELECT id FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND status = 'blocked'
        ORDER BY ready_at, seq LIMIT 1)";

pub const CHECK_MESSAGES: &str =
    "SELECT rowid, queue, CASE typeof(status) WHEN 'text' THEN status END, ready_at < ?3,
       coalesce(locked_until < ?3, 0), ordering_key,
       typeof(queue) = 'text', status = 'blocked' AND NOT EXISTS (SELECT 1 FROM kv_queue AS front
         WHERE front.queue = kv_queue.queue AND front.ordering_key = kv_queue.ordering_key
         AND front.status IN ('pending', 'processing'))
     FROM kv_queue WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";

pub const MESSAGE_AT: &str = concat_message!("WHERE rowid = ?1");

pub const DELETE_MESSAGE_AT: &str = "DELETE FROM kv_queue WHERE rowid = ?1";
