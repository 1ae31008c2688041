//! The statements of queues, locks and consumers.

use super::Sql;

/// A message's columns, as `messages.rs` reads them.
macro_rules! concat_message {
    ($rest:literal) => {
        concat!(
            "SELECT id, seq, queue, status, ready_at, attempts, max_attempts, backoff_schedule, keys_if_undelivered,
               ordering_key, deduplication_key, lease, locked_until, created_at, encoding, value, rowid FROM kv_queue ",
            $rest
        )
    };
}

/// A dead letter's columns, as `messages.rs` reads them.
macro_rules! concat_letter {
    ($rest:literal) => {
        concat!(
            "SELECT id, original_id, queue, error_message, attempts, original_created_at, failed_at, max_attempts,
               backoff_schedule, keys_if_undelivered, ordering_key, deduplication_key, encoding, value FROM kv_dlq ",
            $rest
        )
    };
}

/// The text of a statement. `(queue, status, ready_at, seq)` and `(queue, ordering_key, status, ready_at, seq)` are indexes.
pub fn text(sql: Sql) -> &'static str {
    match sql {
        // A time that is a text, in a damaged row, is no time: texts come after all numbers.
        Sql::QueueDue => {
            "SELECT min(at) FROM (
               SELECT min(ready_at) AS at FROM kv_queue WHERE queue = ?1 AND status = 'pending' AND ready_at < ''
               UNION ALL
               SELECT min(CASE WHEN locked_until > ?2 AND locked_until < ?3 THEN locked_until + ?3 - ?2 ELSE locked_until END)
               FROM kv_queue WHERE queue = ?1 AND status = 'processing' AND locked_until < '')"
        }
        Sql::NextQueue => "SELECT queue FROM kv_queue WHERE queue >= ?1 ORDER BY queue LIMIT 1",
        // The index has the status; the table, with all values in it, is asked for the few that are being handled.
        Sql::AllQueueStats => {
            "SELECT (SELECT count(*) FROM kv_queue) - processing, processing, (SELECT count(*) FROM kv_dlq)
             FROM (SELECT count(*) AS processing FROM kv_queue INDEXED BY kv_queue_ready
               WHERE status = 'processing' AND (locked_until > ?1 OR locked_until > ?2 AND locked_until < ?3))"
        }
        Sql::QueueStats => {
            "SELECT (SELECT count(*) FROM kv_queue WHERE queue = ?4) - processing, processing,
               (SELECT count(*) FROM kv_dlq WHERE queue = ?4)
             FROM (SELECT count(*) AS processing FROM kv_queue WHERE queue = ?4
               AND status = 'processing' AND (locked_until > ?1 OR locked_until > ?2 AND locked_until < ?3))"
        }
        Sql::StandingMessage => "SELECT id FROM kv_queue WHERE queue = ?1 AND deduplication_key = ?2",
        Sql::InsertMessage => {
            "INSERT INTO kv_queue (id, seq, queue, status, ready_at, max_attempts, backoff_schedule,
               keys_if_undelivered, ordering_key, deduplication_key, created_at, updated_at, encoding, value)
             VALUES (?1, ?2, ?3, ?13, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12)"
        }
        Sql::LapsedMessages => concat_message!(
            "WHERE queue = ?1 AND status = 'processing' AND locked_until <= ?2
               AND NOT (locked_until > ?4 AND locked_until < ?5) ORDER BY ready_at, seq LIMIT ?3"
        ),
        Sql::ReadyMessages => concat_message!(
            "WHERE queue = ?1 AND status = 'pending' AND ready_at <= ?2 ORDER BY ready_at, seq LIMIT ?3"
        ),
        Sql::LeasedMessage => concat_message!("WHERE id = ?1 AND lease = ?2 AND status = 'processing'"),
        Sql::IsKeyBusy => {
            "SELECT 1 FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND id <> ?3 AND status = 'processing'
             UNION ALL
             SELECT 1 FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND id <> ?3
               AND status = 'pending' AND attempts > 0 LIMIT 1"
        }
        Sql::IsBehindKey => {
            "SELECT 1 FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND status = 'processing'
             UNION ALL
             SELECT 1 FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND status = 'pending' AND ready_at <= ?3
             UNION ALL
             SELECT 1 FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND status = 'pending' AND ready_at > ?3
               AND attempts > 0 LIMIT 1"
        }
        Sql::BlockLater => {
            "UPDATE kv_queue SET status = 'blocked'
             WHERE queue = ?1 AND ordering_key = ?2 AND status = 'pending' AND ready_at > ?3"
        }
        Sql::Claim => {
            "UPDATE kv_queue SET status = 'processing', attempts = attempts + 1, lease = lease + 1, locked_until = ?3,
               updated_at = ?4
             WHERE id = ?1 AND lease = ?2 AND status <> 'blocked'"
        }
        Sql::Block => {
            "UPDATE kv_queue SET status = 'blocked', updated_at = ?3 WHERE id = ?1 AND lease = ?2 AND status = 'pending'"
        }
        Sql::Return => {
            "UPDATE kv_queue SET status = 'pending', ready_at = coalesce(?3, ready_at), attempts = ?4, locked_until = NULL,
               updated_at = ?5
             WHERE id = ?1 AND lease = ?2 AND status = 'processing' RETURNING queue"
        }
        Sql::RemoveLeased => {
            "DELETE FROM kv_queue WHERE id = ?1 AND lease = ?2 AND status = 'processing' RETURNING queue, ordering_key"
        }
        Sql::ExtendLease => {
            "UPDATE kv_queue SET locked_until = ?3 WHERE id = ?1 AND lease = ?2 AND status = 'processing'"
        }
        Sql::Unblock => {
            "UPDATE kv_queue SET status = 'pending' WHERE id =
               (SELECT id FROM kv_queue WHERE queue = ?1 AND ordering_key = ?2 AND status = 'blocked'
                ORDER BY ready_at, seq LIMIT 1)"
        }
        Sql::Bury => {
            "INSERT INTO kv_dlq (id, original_id, queue, error_message, attempts, original_created_at, failed_at,
               max_attempts, backoff_schedule, keys_if_undelivered, ordering_key, deduplication_key, encoding, value)
             SELECT ?3, id, queue, ?4, attempts, created_at, ?5, max_attempts, backoff_schedule, keys_if_undelivered,
               ordering_key, deduplication_key, encoding, value
             FROM kv_queue WHERE id = ?1 AND lease = ?2 AND status = 'processing'"
        }
        Sql::CheckMessages => {
            "SELECT rowid, queue, CASE typeof(status) WHEN 'text' THEN status END, ready_at < ?3,
               coalesce(locked_until < ?3, 0), ordering_key,
               typeof(queue) = 'text', status = 'blocked' AND NOT EXISTS (SELECT 1 FROM kv_queue AS front
                 WHERE front.queue = kv_queue.queue AND front.ordering_key = kv_queue.ordering_key
                 AND front.status IN ('pending', 'processing'))
             FROM kv_queue WHERE rowid > ?1 ORDER BY rowid LIMIT ?2"
        }
        Sql::MessageAt => concat_message!("WHERE rowid = ?1"),
        Sql::SetAside => {
            "INSERT INTO kv_dlq (id, original_id, queue, error_message, attempts, original_created_at, failed_at,
               max_attempts, backoff_schedule, keys_if_undelivered, encoding, value)
             SELECT ?2, ?3, ?4, ?5, CAST(attempts AS INTEGER), CAST(created_at AS INTEGER), ?6,
               CAST(max_attempts AS INTEGER), '[]', ?7, CAST(encoding AS INTEGER), CAST(value AS BLOB)
             FROM kv_queue WHERE rowid = ?1"
        }
        Sql::RemoveRow => "DELETE FROM kv_queue WHERE rowid = ?1",
        Sql::ScanAllDeadLetters => concat_letter!("ORDER BY rowid LIMIT ?1 OFFSET ?2"),
        Sql::ScanDeadLetters => concat_letter!("WHERE queue = ?3 ORDER BY rowid LIMIT ?1 OFFSET ?2"),
        // A damaged id may be bytes.
        Sql::DeadLetter => concat_letter!("WHERE id IN (?1, CAST(?1 AS BLOB)) LIMIT 1"),
        Sql::DeadLetterAt => concat_letter!("WHERE rowid = ?1"),
        Sql::DeadLetterIds => "SELECT rowid, id FROM kv_dlq",
        Sql::RemoveDeadLetter => "DELETE FROM kv_dlq WHERE id IN (?1, CAST(?1 AS BLOB))",
        Sql::RemoveDeadLetterAt => "DELETE FROM kv_dlq WHERE rowid = ?1",
        Sql::PurgeAllDeadLetters => {
            "DELETE FROM kv_dlq WHERE rowid IN (SELECT rowid FROM kv_dlq ORDER BY rowid LIMIT ?1)"
        }
        Sql::PurgeDeadLetters => {
            "DELETE FROM kv_dlq WHERE rowid IN
               (SELECT rowid FROM kv_dlq WHERE queue = ?2 ORDER BY rowid LIMIT ?1)"
        }
        // A time that is a text comes after all numbers.
        Sql::OldDeadLetters => {
            "SELECT rowid, failed_at <= ?1 FROM kv_dlq WHERE rowid > ?2 ORDER BY rowid LIMIT ?3"
        }
        Sql::Lock => "SELECT owner, token, expires_at FROM kv_locks WHERE name = ?1",
        Sql::PutLock => {
            "INSERT INTO kv_locks (name, owner, token, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name)
             DO UPDATE SET owner = excluded.owner, token = excluded.token, expires_at = excluded.expires_at"
        }
        Sql::RemoveLock => "DELETE FROM kv_locks WHERE name = ?1",
        Sql::SweepLocks => {
            "DELETE FROM kv_locks WHERE name IN
               (SELECT name FROM kv_locks WHERE expires_at <= ?1 AND NOT (expires_at > ?3 AND expires_at < ?4)
                ORDER BY expires_at LIMIT ?2)"
        }
        Sql::Consumer => {
            "SELECT prefix, position, lease, locked_until, updated_at FROM kv_consumers WHERE name = ?1"
        }
        Sql::PutConsumer => {
            "INSERT INTO kv_consumers (name, prefix, position, lease, locked_until, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO UPDATE SET prefix = excluded.prefix,
               position = excluded.position, lease = excluded.lease, locked_until = excluded.locked_until,
               updated_at = CASE WHEN excluded.locked_until IS NULL THEN updated_at ELSE excluded.updated_at END"
        }
        Sql::RemoveConsumer => "DELETE FROM kv_consumers WHERE name = ?1",
        Sql::Indexes => "SELECT id, prefix, spec, created_at, kind FROM kv_indexes ORDER BY id",
        Sql::InsertIndex => {
            "INSERT INTO kv_indexes (prefix, kind, spec, created_at) VALUES (?1, ?2, ?3, ?4)"
        }
        Sql::LastIndex => "SELECT max(id) FROM kv_indexes",
        Sql::RemoveIndex => "DELETE FROM kv_indexes WHERE id = ?1",
        _ => "",
    }
}
