//! Statements of `kv_changes`.

pub const LOG_DELETED_RANGE: &str = "INSERT INTO kv_changes (key, op, versionstamp)
     SELECT key, 'delete', ?3 FROM kv_entries WHERE key >= ?1 AND key < ?2 ORDER BY key";

pub const LOG_CHANGE: &str =
    "INSERT INTO kv_changes (key, op, versionstamp, encoding, value) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Sequence order is commit order.
pub const TRIM_CUT: &str =
    "SELECT seq, versionstamp FROM (SELECT seq, versionstamp FROM kv_changes ORDER BY seq LIMIT ?3)
     WHERE versionstamp < ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1";

pub const TRIM_CHANGES: &str = "DELETE FROM kv_changes WHERE seq <= ?1";

pub const CHANGE_LOG_STATE: &str = "SELECT (SELECT value FROM kv_meta WHERE key = 'change_log'),
       (SELECT seq FROM sqlite_sequence WHERE name = 'kv_changes'),
       (SELECT min(seq) FROM kv_changes),
       (SELECT value FROM kv_meta WHERE key = 'clock'),
       (SELECT value FROM kv_meta WHERE key = 'trimmed'),
       (SELECT max(seq) FROM kv_changes)";

pub const SCAN_CHANGES: &str = "SELECT seq, key, op, versionstamp, encoding, value FROM kv_changes
     WHERE seq > ?1 ORDER BY seq LIMIT ?2";

pub const SCAN_CHANGE_KEYS: &str =
    "SELECT seq, key, op, versionstamp, NULL, NULL FROM kv_changes WHERE seq > ?1 ORDER BY seq LIMIT ?2";
