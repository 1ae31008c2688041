//! Statements of `kv_consumers`.

pub const OLDEST_POSITION: &str = "SELECT min(position) FROM kv_consumers WHERE updated_at > ?1";

pub const CONSUMER: &str =
    "SELECT prefix, position, lease, locked_until, updated_at FROM kv_consumers WHERE name = ?1";

pub const SCAN_LEASES: &str =
    "SELECT name, lease, locked_until FROM kv_consumers WHERE name >= ?1 ORDER BY name";

pub const PUT_CONSUMER: &str =
    "INSERT INTO kv_consumers (name, prefix, position, lease, locked_until, updated_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO UPDATE SET prefix = excluded.prefix,
       position = excluded.position, lease = excluded.lease, locked_until = excluded.locked_until,
       updated_at = CASE WHEN excluded.locked_until IS NULL THEN updated_at ELSE excluded.updated_at END";

pub const DELETE_CONSUMER: &str = "DELETE FROM kv_consumers WHERE name = ?1";
