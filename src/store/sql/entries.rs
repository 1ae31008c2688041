//! Statements of `kv_entries`. `length(value)` does not load the value; a large one is withheld where the
//! caller asks for it, and is NULL then, which no value is.

pub const GET: &str =
    "SELECT versionstamp, expires_at, encoding, CASE WHEN length(value) <= ?2 THEN value END
     FROM kv_entries WHERE key = ?1";

pub const GET_AT: &str =
    "SELECT versionstamp, expires_at, encoding, CASE WHEN length(value) <= ?2 THEN value END
     FROM kv_entries WHERE rowid = ?3 AND key = ?1";

pub const SCAN: &str =
    "SELECT versionstamp, expires_at, encoding, CASE WHEN length(value) <= ?5 THEN value END, key
     FROM kv_entries
     WHERE key >= ?1 AND key < ?2 AND (expires_at IS NULL OR expires_at > ?3)
     ORDER BY key LIMIT ?4";

pub const SCAN_REVERSE: &str =
    "SELECT versionstamp, expires_at, encoding, CASE WHEN length(value) <= ?5 THEN value END, key
     FROM kv_entries
     WHERE key >= ?1 AND key < ?2 AND (expires_at IS NULL OR expires_at > ?3)
     ORDER BY key DESC LIMIT ?4";

pub const SCAN_KEYS: &str = "SELECT versionstamp, expires_at, 0, NULL, key FROM kv_entries
     WHERE key >= ?1 AND key < ?2 AND (expires_at IS NULL OR expires_at > ?3)
     ORDER BY key LIMIT ?4";

pub const SCAN_KEYS_REVERSE: &str = "SELECT versionstamp, expires_at, 0, NULL, key FROM kv_entries
     WHERE key >= ?1 AND key < ?2 AND (expires_at IS NULL OR expires_at > ?3)
     ORDER BY key DESC LIMIT ?4";

/// The first count reads the index of the keys alone, the second the index of the expiries.
pub const COUNT: &str = "SELECT (SELECT count(*) FROM kv_entries WHERE key >= ?1 AND key < ?2)
          - (SELECT count(*) FROM kv_entries INDEXED BY kv_entries_expiry
             WHERE expires_at <= ?3 AND key >= ?1 AND key < ?2)";

pub const UPDATE: &str = "UPDATE kv_entries SET versionstamp = ?2, expires_at = ?3, encoding = ?4, value = ?5
     WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?6)";

pub const UPDATE_KEEPING: &str = "UPDATE kv_entries SET versionstamp = ?2, encoding = ?4, value = ?5
     WHERE key = ?1 AND ?3 IS NULL AND (expires_at IS NULL OR expires_at > ?6)";

pub const INSERT: &str =
    "INSERT INTO kv_entries (key, versionstamp, expires_at, encoding, value) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (key) DO NOTHING";

pub const SET_EXPIRY: &str = "UPDATE kv_entries SET expires_at = ?2
     WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?3)";

pub const DELETE: &str = "DELETE FROM kv_entries WHERE key = ?1 RETURNING expires_at";

pub const DELETE_RANGE_RETURNING: &str =
    "DELETE FROM kv_entries WHERE key >= ?1 AND key < ?2 RETURNING key, expires_at";

pub const COUNT_EXPIRED: &str = "SELECT count(*) FROM kv_entries INDEXED BY kv_entries_expiry
     WHERE expires_at <= ?3 AND key >= ?1 AND key < ?2";

pub const DELETE_RANGE: &str = "DELETE FROM kv_entries WHERE key >= ?1 AND key < ?2";

pub const SWEEP: &str = "DELETE FROM kv_entries WHERE rowid IN
       (SELECT rowid FROM kv_entries WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)
     RETURNING key, expires_at";

/// By the keys: there may be many more expired entries elsewhere.
pub const SWEEP_RANGE: &str =
    "DELETE FROM kv_entries WHERE key >= ?2 AND key < ?3 AND +expires_at <= ?1 RETURNING key, expires_at";

pub const HAS_EXPIRED: &str = "SELECT 1 FROM kv_entries WHERE expires_at <= ?1 LIMIT 1";
