//! Opening a file: checking that it is ours, migrations, settings.

use std::time::Duration;

use self::numbers::noted_time;
use super::sqlite::{Connection, Doubt, Param};
use crate::base::clock;
use crate::base::clock::Stopwatch;
use crate::base::config::{ChangeLog, DEFAULT_BUSY_TIMEOUT_MS, DEFAULT_RETENTION_MS, Options};
use crate::base::error::{Code, Error, Result};
use crate::codec::stamp::Stamp;
use crate::store::rows::index::Define;
use crate::store::sql::schema::{MIGRATIONS, SCHEMA_VERSION};

mod genuine;
pub mod index_row;
pub mod numbers;
pub mod objects;
pub mod reindex;
pub mod settings;

/// Between two attempts to turn the write-ahead log on.
const RETRY: Duration = Duration::from_millis(1);

/// Makes a connection's file ours: creates or upgrades the schema in one transaction and writes the settings
/// that the opener insists on. A file that is not ours, or newer, is left as it is. `sync_names` is called
/// before the first schema is committed, so that the names of a file that has one are on disk, whoever was
/// killed meanwhile.
///
/// # Errors
/// `CORRUPT`, `UNSUPPORTED`, `BUSY`, `UNAVAILABLE`.
pub fn open(
    connection: &mut Connection,
    options: &Options,
    define: Define,
    sync_names: impl FnOnce() -> Result<()>,
) -> Result<()> {
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
    let result = migrate(connection, define, sync_names).and_then(|()| write_settings(connection, options));
    if result.is_err() {
        return connection.execute("ROLLBACK").and(result);
    }
    let announced = connection.announce_commit();
    connection
        .execute("COMMIT")
        .inspect(|()| connection.commit_ended(&announced))
        .inspect_err(|_| connection.doubt_log(Doubt::All, &announced))
}

/// Opens the write-ahead log, and repairs it before anything is read from it: after a crash or a failed sync,
/// a part of it may be in memory alone.
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

/// The schema version of a file; 0 for an empty one. Looked at in one snapshot: another process may be
/// upgrading the file, or making an index.
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
pub fn seen_ms(connection: &Connection) -> Result<i64> {
    let clock = connection.query_text("SELECT value FROM kv_meta WHERE key = 'clock'", &[])?;
    let stamp = clock.and_then(|text| Stamp::parse(&text)).map_or(0, |stamp| stamp.ms);
    let stamp_ms = i64::try_from(stamp).unwrap_or(i64::MAX);
    Ok(noted_time(connection)?.map_or(stamp_ms, |ms| ms.max(stamp_ms)))
}

/// Turns the write-ahead log on; in memory there is none. Two processes that do so at once get `BUSY` without
/// SQLite's busy timeout being asked (it could be a deadlock), so it is waited for here.
fn write_ahead(connection: &Connection, busy_timeout_ms: i64) -> Result<()> {
    let timeout = Duration::from_millis(u64::try_from(busy_timeout_ms).unwrap_or(0));
    let watch = Stopwatch::start();
    let mode = loop {
        match connection.query_text("PRAGMA journal_mode = WAL", &[]) {
            Err(error) if error.code == Code::Busy && watch.elapsed() < timeout => clock::pause(RETRY),
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
fn migrate(connection: &Connection, define: Define, sync_names: impl FnOnce() -> Result<()>) -> Result<()> {
    let found = inspect(connection, define)?;
    if found == 0 {
        sync_names()?;
    }
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
    set(connection, "clock", Param::Text(&Stamp { ms: 0, counter: 0, node }.text()))?;
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

/// The log lacks the changes committed while it was off. A reader before that point must not continue as if
/// nothing were missing: all older changes are removed, and one number is skipped.
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
