//! Statements of `kv_dlq`.

/// A dead letter's columns, as the store reads them.
macro_rules! concat_letter {
    ($rest:literal) => {
        concat!(
            "SELECT id, original_id, queue, error_message, attempts, original_created_at, failed_at, max_attempts,
               backoff_schedule, keys_if_undelivered, ordering_key, deduplication_key, encoding, value FROM kv_dlq ",
            $rest
        )
    };
}

pub const BURY: &str =
    "INSERT INTO kv_dlq (id, original_id, queue, error_message, attempts, original_created_at, failed_at,
       max_attempts, backoff_schedule, keys_if_undelivered, ordering_key, deduplication_key, encoding, value)
     SELECT ?3, id, queue, ?4, attempts, created_at, ?5, max_attempts, backoff_schedule, keys_if_undelivered,
       ordering_key, deduplication_key, encoding, value
     FROM kv_queue WHERE id = ?1 AND lease = ?2 AND status = 'processing'";

pub const SET_ASIDE: &str =
    "INSERT INTO kv_dlq (id, original_id, queue, error_message, attempts, original_created_at, failed_at,
       max_attempts, backoff_schedule, keys_if_undelivered, encoding, value)
     SELECT ?2, ?3, ?4, ?5, CAST(attempts AS INTEGER), CAST(created_at AS INTEGER), ?6,
       CAST(max_attempts AS INTEGER), '[]', ?7, CAST(encoding AS INTEGER), CAST(value AS BLOB)
     FROM kv_queue WHERE rowid = ?1";

pub const SCAN_ALL_DEAD_LETTERS: &str = concat_letter!("ORDER BY rowid LIMIT ?1 OFFSET ?2");

pub const SCAN_DEAD_LETTERS: &str = concat_letter!("WHERE queue = ?3 ORDER BY rowid LIMIT ?1 OFFSET ?2");

/// A damaged id may be bytes.
pub const DEAD_LETTER: &str = concat_letter!("WHERE id IN (?1, CAST(?1 AS BLOB)) LIMIT 1");

pub const DEAD_LETTER_AT: &str = concat_letter!("WHERE rowid = ?1");

pub const DEAD_LETTER_IDS: &str = "SELECT rowid, id FROM kv_dlq";

pub const DELETE_DEAD_LETTER: &str = "DELETE FROM kv_dlq WHERE id IN (?1, CAST(?1 AS BLOB))";

pub const DELETE_DEAD_LETTER_AT: &str = "DELETE FROM kv_dlq WHERE rowid = ?1";

pub const PURGE_ALL_DEAD_LETTERS: &str =
    "DELETE FROM kv_dlq WHERE rowid IN (SELECT rowid FROM kv_dlq ORDER BY rowid LIMIT ?1)";

pub const PURGE_DEAD_LETTERS: &str = "DELETE FROM kv_dlq WHERE rowid IN
       (SELECT rowid FROM kv_dlq WHERE queue = ?2 ORDER BY rowid LIMIT ?1)";

/// A time that is a text comes after all numbers.
pub const OLD_DEAD_LETTERS: &str =
    "SELECT rowid, failed_at <= ?1 FROM kv_dlq WHERE rowid > ?2 ORDER BY rowid LIMIT ?3";
