//! Statements of `kv_locks`.

pub const LOCK: &str = "SELECT owner, token, expires_at FROM kv_locks WHERE name = ?1";

pub const PUT_LOCK: &str =
    "INSERT INTO kv_locks (name, owner, token, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name)
     DO UPDATE SET owner = excluded.owner, token = excluded.token, expires_at = excluded.expires_at";

pub const DELETE_LOCK: &str = "DELETE FROM kv_locks WHERE name = ?1";

pub const SWEEP_LOCKS: &str = "DELETE FROM kv_locks WHERE name IN
       (SELECT name FROM kv_locks WHERE expires_at <= ?1 AND NOT (expires_at > ?3 AND expires_at < ?4)
        ORDER BY expires_at LIMIT ?2)";
