//! The schema, as numbered migrations, and opening a file.

use std::time::Duration;

use super::sqlite::{Connection, Doubt, Param};
use crate::base::clock;
use crate::base::clock::Stopwatch;
use crate::base::config::{
    ChangeLog, DEFAULT_BUSY_TIMEOUT_MS, DEFAULT_RETENTION_MS, MIN_DEAD_LETTER_RETENTION_MS, Options,
};
use crate::base::error::{Code, Error, Result};
use crate::codec::stamp::Stamp;
use crate::store::rows::index::Define;

pub mod genuine;
pub mod objects;

/// Between two attempts to turn the write-ahead log on.
const RETRY: Duration = Duration::from_millis(1);

/// The schema that this version writes.
pub const SCHEMA_VERSION: i64 = 2;

/// Migration `n` (from 0) takes a file from version n to n + 1. Never edit one that was released: what it makes is compared with
/// the file whenever one is opened.
pub const MIGRATIONS: [&str; 2] = [V1, V2];

/// Columns stand in this order on disk: the value last, so that expiry and versionstamp are read without walking a
/// large value. `kv_entries` is a rowid table: at 10 KB values WITHOUT ROWID reads five times slower.
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

/// What the first schema had no use for yet: a dead letter keeps what its message needs to be tried again (no dead letter
/// was ever written under schema 1), and the columns that are searched by have an index.
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

/// No number of a file gets so far by itself; JavaScript would round the ones after it, and a feed never get past them.
pub const LAST_NUMBER: i64 = (1 << 53) - 1;

/// The error of a number that another program has put there.
pub fn used_up() -> Error {
    Error::corrupt("a number of the file is at its end; restore the file from a backup")
}

/// The settings that all openers of a file share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The last versionstamp.
    pub clock: Stamp,
    /// What commits note.
    pub change_log: ChangeLog,
    /// For how long.
    pub retention_ms: i64,
    /// For how long dead letters are kept, if not for ever.
    pub dead_letter_retention_ms: Option<i64>,
    /// The last number that was given out.
    pub sequence: i64,
    /// The time of a write, in milliseconds, where it is later than the last versionstamp.
    pub time_ms: i64,
}

impl Settings {
    /// The file is not of before this time.
    #[must_use]
    pub fn seen_ms(&self) -> i64 {
        i64::try_from(self.clock.ms).unwrap_or(i64::MAX).max(self.time_ms)
    }

    /// Reads the rows of `kv_meta`.
    ///
    /// # Errors
    /// `CORRUPT` if one is missing or damaged, or at its end.
    pub fn read(rows: &mut super::sqlite::Rows<'_>) -> Result<Self> {
        let (mut clock, mut change_log, mut retention_ms, mut sequence) = (None, None, None, None);
        let (mut time_ms, mut dead_letter_retention_ms) = (0, None);
        while rows.next()? {
            match rows.text(0)? {
                "clock" => clock = Stamp::parse(rows.text(1)?),
                "change_log" => change_log = ChangeLog::parse(rows.text(1)?).ok(),
                "retention_ms" => retention_ms = Some(rows.int(1)).filter(|ms| *ms >= 0),
                "sequence" => sequence = Some(rows.int(1)),
                "dead_letter_retention_ms" => dead_letter_retention_ms = Some(rows.int(1)),
                "time" => time_ms = rows.int(1),
                _ => {}
            }
        }
        if dead_letter_retention_ms.is_some_and(|ms| ms < MIN_DEAD_LETTER_RETENTION_MS) {
            // Read as a number, a text is 0: the sweep would remove every dead letter.
            return Err(Error::corrupt(
                "the file's kv_meta has a dead_letter_retention_ms that is no duration; open the file with the option deadLetterRetention",
            ));
        }
        match (clock, change_log, retention_ms, sequence) {
            (Some(clock), Some(change_log), Some(retention_ms), Some(sequence)) => {
                if !(0..LAST_NUMBER).contains(&sequence) || clock.is_last() {
                    return Err(used_up());
                }
                Ok(Self { clock, change_log, retention_ms, dead_letter_retention_ms, sequence, time_ms })
            }
            _ => Err(Error::corrupt("the file's kv_meta lacks a setting; restore the file from a backup")),
        }
    }
}

/// Makes a connection's file ours: creates or upgrades the schema in one transaction and writes the settings that
/// the opener insists on. A file that is not ours, or newer, is left as it is.
///
/// # Errors
/// `CORRUPT`, `UNSUPPORTED`, `BUSY`, `UNAVAILABLE`.
pub fn open(connection: &mut Connection, options: &Options, define: Define) -> Result<()> {
    let found = inspect(connection, define)?;
    if connection.is_read_only() {
        return Err(Error::new(
            Code::Unavailable,
            "the file, or its folder, cannot be written; check its permissions",
        ));
    }
    write_ahead(connection, options.busy_timeout_ms.unwrap_or(DEFAULT_BUSY_TIMEOUT_MS))?;
    open_log(connection)?;
    if found == SCHEMA_VERSION && !options.insists() {
        return Ok(());
    }
    connection.execute("BEGIN IMMEDIATE")?;
    let result = migrate(connection, define).and_then(|()| write_settings(connection, options));
    if result.is_err() {
        return connection.execute("ROLLBACK").and(result);
    }
    let announced = connection.announce_commit();
    connection
        .execute("COMMIT")
        .inspect(|()| connection.commit_ended(&announced))
        .inspect_err(|_| connection.doubt_log(Doubt::All, &announced))
}

/// Opens the write-ahead log, and makes it whole before anything is read from it: what a crash, or a sync that failed, has
/// left in it may be in memory alone.
fn open_log(connection: &mut Connection) -> Result<()> {
    connection.query_text("SELECT count(*) FROM sqlite_schema", &[])?;
    connection.find_commit_mark();
    if connection.is_log_whole() {
        return Ok(());
    }
    connection.execute("BEGIN IMMEDIATE")?;
    let mended = connection.mend_log();
    connection.execute("ROLLBACK")?;
    mended
}

/// The schema version that a file stands at; 0 for an empty one. Looked at in one snapshot: another process may be upgrading
/// the file, or making an index.
fn inspect(connection: &Connection, define: Define) -> Result<i64> {
    if !connection.is_autocommit() {
        return genuine::inspect(connection, define);
    }
    connection.execute("BEGIN")?;
    let found = genuine::inspect(connection, define);
    let ended = connection.execute("ROLLBACK");
    found.and_then(|found| ended.map(|()| found))
}

/// The time that a file has seen: nobody who opens it is before that.
///
/// # Errors
/// Those of SQLite.
pub fn seen_ms(connection: &Connection) -> Result<i64> {
    let value =
        |key: &str| connection.query_text("SELECT value FROM kv_meta WHERE key = ?1", &[Param::Text(key)]);
    let stamp = value("clock")?.and_then(|text| Stamp::parse(&text)).map_or(0, |stamp| stamp.ms);
    let time_ms = value("time")?.and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(i64::try_from(stamp).unwrap_or(i64::MAX).max(time_ms))
}

/// Turns the write-ahead log on; in memory there is none. Two processes that do so at once get `BUSY` without SQLite's
/// busy timeout being asked (it could be a deadlock), so it is waited for here.
fn write_ahead(connection: &Connection, busy_timeout_ms: i64) -> Result<()> {
    let patience = Duration::from_millis(u64::try_from(busy_timeout_ms).unwrap_or(0));
    let watch = Stopwatch::start();
    let mode = loop {
        match connection.query_text("PRAGMA journal_mode = WAL", &[]) {
            Err(error) if error.code == Code::Busy && watch.elapsed() < patience => clock::pause(RETRY),
            mode => break mode?,
        }
    };
    match mode.as_deref() {
        Some("wal" | "memory") => Ok(()),
        _ => Err(Error::new(
            Code::Unavailable,
            "the file system has no shared memory for the write-ahead log; put the file on a local disk",
        )),
    }
}

/// Inside a write transaction, so that of two processes one creates the schema and the other finds it.
fn migrate(connection: &Connection, define: Define) -> Result<()> {
    let found = inspect(connection, define)?;
    for (version, migration) in (1i64..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        connection.execute(migration)?;
        if version == 1 {
            write_identity(connection)?;
        }
        set(connection, "schema_version", Param::Int(Some(version)))?;
    }
    Ok(())
}

fn write_identity(connection: &Connection) -> Result<()> {
    let id = clock::new_id();
    #[allow(clippy::cast_possible_truncation)]
    let node = (id.as_u128() & ((1 << 42) - 1)) as u64;
    set(connection, "database_id", Param::Text(&id.to_string()))?;
    set(connection, "clock", Param::Text(&Stamp { ms: 0, counter: 0, node }.to_string()))?;
    set(connection, "change_log", Param::Text(ChangeLog::default().as_str()))?;
    set(connection, "retention_ms", DEFAULT_RETENTION_MS.into())
}

fn write_settings(connection: &Connection, options: &Options) -> Result<()> {
    if let Some(change_log) = options.change_log {
        if change_log != ChangeLog::Off {
            end_gap(connection)?;
        }
        set(connection, "change_log", Param::Text(change_log.as_str()))?;
    }
    if let Some(ms) = options.retention_ms {
        set(connection, "retention_ms", ms.into())?;
    }
    match options.dead_letter_retention_ms {
        Some(Some(ms)) => set(connection, "dead_letter_retention_ms", ms.into()),
        Some(None) => connection.execute("DELETE FROM kv_meta WHERE key = 'dead_letter_retention_ms'"),
        None => Ok(()),
    }
}

/// What was committed while the log was off is missing in it. Whoever stands before that must not read on as if nothing had
/// happened: all that is older goes, and the number of one change that nobody will see.
fn end_gap(connection: &Connection) -> Result<()> {
    let mode = connection.query_text("SELECT value FROM kv_meta WHERE key = 'change_log'", &[])?;
    if mode.as_deref() != Some(ChangeLog::Off.as_str()) {
        return Ok(());
    }
    connection.execute("INSERT INTO kv_changes (key, op, versionstamp) VALUES (x'', 'delete', '')")?;
    connection.execute("DELETE FROM kv_changes")?;
    connection.execute(
        "UPDATE kv_meta SET value = (SELECT value FROM kv_meta WHERE key = 'clock') WHERE key = 'trimmed'",
    )
}

fn set(connection: &Connection, key: &str, value: Param<'_>) -> Result<()> {
    let sql = "INSERT INTO kv_meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.prepare(sql)?.run(&[Param::Text(key), value])
}
