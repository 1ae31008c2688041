//! Transactions, and the settings in `kv_meta`.

pub const BEGIN: &str = "BEGIN";

pub const BEGIN_IMMEDIATE: &str = "BEGIN IMMEDIATE";

pub const COMMIT: &str = "COMMIT";

pub const ROLLBACK: &str = "ROLLBACK";

pub const SAVEPOINT: &str = "SAVEPOINT operation";

pub const RELEASE: &str = "RELEASE operation";

pub const ROLLBACK_TO: &str = "ROLLBACK TO operation";

pub const SETTINGS: &str = "SELECT key, value FROM kv_meta WHERE key IN ('change_log', 'clock', 'dead_letter_retention_ms', 'retention_ms', 'sequence', 'time')";

pub const SET_TIME: &str = "INSERT INTO kv_meta (key, value) VALUES ('time', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

pub const SET_CLOCK: &str = "UPDATE kv_meta SET value = ?1 WHERE key = 'clock'";

pub const SET_TRIMMED: &str = "UPDATE kv_meta SET value = ?1 WHERE key = 'trimmed'";

pub const SEQUENCE: &str = "SELECT value FROM kv_meta WHERE key = 'sequence'";

pub const SET_SEQUENCE: &str = "UPDATE kv_meta SET value = ?1 WHERE key = 'sequence'";

pub const RELEASED: &str = "SELECT value FROM kv_meta WHERE key = 'released'";

pub const SET_RELEASED: &str = "INSERT INTO kv_meta (key, value) VALUES ('released', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

pub const INFO: &str = "SELECT sqlite_version(),
       (SELECT value FROM kv_meta WHERE key = 'schema_version'),
       (SELECT value FROM kv_meta WHERE key = 'database_id'),
       (SELECT value FROM kv_meta WHERE key = 'change_log'),
       (SELECT value FROM kv_meta WHERE key = 'retention_ms'),
       page_count * page_size,
       (SELECT value FROM kv_meta WHERE key = 'dead_letter_retention_ms')
     FROM pragma_page_count, pragma_page_size";

pub const DATA_VERSION: &str = "PRAGMA data_version";
