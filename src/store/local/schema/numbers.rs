//! Numbers of a file that it cannot have come to by itself.

use crate::base::clock::BEYOND_MS;
use crate::base::error::Result;
use crate::store::local::sqlite::Connection;
use crate::store::sql::schema::{LAST_NUMBER, impossible_time, used_up};

/// Where numbers are used up, SQLite would fail each write as if the disk were full.
///
/// # Errors
/// `CORRUPT`.
pub fn refuse_last_numbers(connection: &Connection) -> Result<()> {
    let numbers = "SELECT seq FROM sqlite_sequence WHERE name = 'kv_changes' AND seq >= ?1
         UNION ALL SELECT seq FROM (SELECT max(seq) AS seq FROM kv_changes) WHERE seq >= ?1
         UNION ALL SELECT value FROM kv_meta WHERE key = 'sequence' AND value >= ?1";
    let found = connection.query_text(numbers, &[LAST_NUMBER.into()])?;
    found.map_or(Ok(()), |_| Err(used_up()))
}

/// # Errors
/// `CORRUPT`.
pub fn refuse_impossible_time(connection: &Connection) -> Result<()> {
    let time = "SELECT value FROM kv_meta
         WHERE key = 'time' AND (typeof(value) <> 'integer' OR value NOT BETWEEN 0 AND ?1)";
    let found = connection.query_text(time, &[BEYOND_MS.into()])?;
    found.map_or(Ok(()), |_| Err(impossible_time()))
}
