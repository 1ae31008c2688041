//! The schema, as numbered migrations.

use crate::base::error::Error;

/// The schema that this version writes.
pub const SCHEMA_VERSION: i64 = 2;

/// Migration `n` (from 0) takes a file from version n to n + 1. Never edit one that was released: what it
/// makes is compared with the file whenever one is opened.
pub const MIGRATIONS: [&str; 2] = [V1, V2];

/// Columns are stored in this order: the value last, so that expiry and versionstamp are read without walking
/// a large value. `kv_entries` is a rowid table: at 10 KB values WITHOUT ROWID reads five times slower.
const V1: &str = "
CREATE TABLE kv_meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE kv_entries (
  key BLOB PRIMARY KEY NOT NULL,
  versionstamp TEXT NOT NULL,
  expires_at INTEGER,
  encoding INTEGER NOT NULL DEFAULT 0,
  value BLOB NOT NULL
);
CREATE INDEX kv_entries_expiry ON kv_entries (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE kv_changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  key BLOB NOT NULL,
  op TEXT NOT NULL,
  versionstamp TEXT NOT NULL,
  encoding INTEGER,
  value BLOB
);
CREATE TABLE kv_queue (
  id TEXT PRIMARY KEY NOT NULL,
  seq INTEGER NOT NULL,
  queue TEXT NOT NULL,
  status TEXT NOT NULL,
  ready_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL,
  backoff_schedule TEXT NOT NULL,
  keys_if_undelivered TEXT,
  ordering_key TEXT,
  deduplication_key TEXT,
  lease INTEGER NOT NULL DEFAULT 0,
  locked_until INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  encoding INTEGER NOT NULL DEFAULT 0,
  value BLOB NOT NULL
);
CREATE INDEX kv_queue_ready ON kv_queue (queue, status, ready_at, seq);
CREATE UNIQUE INDEX kv_queue_deduplication ON kv_queue (queue, deduplication_key) WHERE deduplication_key IS NOT NULL;
CREATE TABLE kv_dlq (
  id TEXT PRIMARY KEY NOT NULL,
  original_id TEXT NOT NULL,
  queue TEXT NOT NULL,
  error_message TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  original_created_at INTEGER NOT NULL,
  failed_at INTEGER NOT NULL,
  encoding INTEGER NOT NULL DEFAULT 0,
  value BLOB NOT NULL
);
CREATE TABLE kv_indexes (
  id INTEGER PRIMARY KEY,
  prefix BLOB NOT NULL,
  kind TEXT NOT NULL,
  spec TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE TABLE kv_commits (id TEXT PRIMARY KEY NOT NULL, versionstamp TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE kv_consumers (
  name TEXT PRIMARY KEY NOT NULL,
  prefix BLOB,
  position INTEGER NOT NULL,
  lease INTEGER NOT NULL DEFAULT 0,
  locked_until INTEGER,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE kv_locks (
  name TEXT PRIMARY KEY NOT NULL,
  owner TEXT NOT NULL,
  token INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Additions to the first schema: a dead letter keeps what its message needs to be tried again (no dead
/// letter was ever written under schema 1), and the columns that are searched by have an index.
const V2: &str = "
DROP TABLE kv_dlq;
CREATE TABLE kv_dlq (
  id TEXT PRIMARY KEY NOT NULL,
  original_id TEXT NOT NULL,
  queue TEXT NOT NULL,
  error_message TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  original_created_at INTEGER NOT NULL,
  failed_at INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  backoff_schedule TEXT NOT NULL,
  keys_if_undelivered TEXT,
  ordering_key TEXT,
  deduplication_key TEXT,
  encoding INTEGER NOT NULL DEFAULT 0,
  value BLOB NOT NULL
);
CREATE INDEX kv_dlq_queue ON kv_dlq (queue);
CREATE INDEX kv_queue_ordering ON kv_queue (queue, ordering_key, status, ready_at, seq) WHERE ordering_key IS NOT NULL;
CREATE INDEX kv_locks_expiry ON kv_locks (expires_at);
INSERT INTO kv_meta (key, value) VALUES ('sequence', 0), ('trimmed', '');
";

/// No number of a file gets so far by itself; JavaScript would round the ones after it, and a feed never get
/// past them.
pub const LAST_NUMBER: i64 = (1 << 53) - 1;

/// The error of a stored time at which everything that has an expiry would have expired.
pub fn impossible_time() -> Error {
    Error::corrupt("the file's kv_meta has an impossible time; restore the file from a backup")
}

/// The error of a number that another program has put there.
pub fn used_up() -> Error {
    Error::corrupt("a number of the file has reached its maximum; restore the file from a backup")
}
